"""The exact files that make up libtorch for Gambol: nothing else is ever fetched.

A wheel is a zip archive.
Only the members named here are taken out of it, and each is checked against the wheel's own
`RECORD`, whose hash is pinned: so a member is as trusted as the pin, whether the whole wheel was
fetched or only the bytes of that member.
"""

from __future__ import annotations

from dataclasses import dataclass

# torch-sys 0.24 accepts this release and no other.
VERSION = "2.11.0"

# Linux on x86_64; what the folder in the cache is called.
PLATFORM = "linux-x86_64"


@dataclass(frozen=True)
class Wheel:
    """One file of the package index, and what of it is needed."""

    project: str
    version: str
    filename: str
    size: int
    sha256: str
    """Of the whole file; an index that announces another hash is passed over."""
    record_sha256: str
    """Of the member `*.dist-info/RECORD`, which lists the hash of every other member."""
    members: dict[str, str]
    """What to take: member, or folder ending in `/`, to its place below the libtorch folder."""


WHEELS = (
    # The index has no CPU-only build; the CPU part of this one works alone. Which Python a wheel is
    # for makes no difference here: nothing of it is imported.
    Wheel(
        project="torch",
        version=VERSION,
        filename="torch-2.11.0-cp311-cp311-manylinux_2_28_x86_64.whl",
        size=530604548,
        sha256="7aa2f9bbc6d4595ba72138026b2074be1233186150e9292865e04b7a63b8c67a",
        record_sha256="86b11de9e81e378fe38d68644e581b98c138494d67197b94ba12eade2be836e7",
        members={
            "torch/include/": "include/",
            "torch/lib/libc10.so": "lib/libc10.so",
            "torch/lib/libgomp.so.1": "lib/libgomp.so.1",
            "torch/lib/libtorch_cpu.so": "lib/libtorch_cpu.so",
            "torch-2.11.0.dist-info/licenses/": "licenses/torch/",
        },
    ),
    # libtorch_cpu.so of a CUDA build names these two; without a GPU they are loaded and not used.
    Wheel(
        project="nvidia-cuda-cupti",
        version="13.0.85",
        filename="nvidia_cuda_cupti-13.0.85-py3-none-manylinux_2_25_x86_64.whl",
        size=10715597,
        sha256="4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8",
        record_sha256="f8ae8ddce85f8e319abac90e956bf45a572e31f4ff01af2d634f37aa3d78e3eb",
        members={
            "nvidia/cu13/lib/libcupti.so.13": "lib/libcupti.so.13",
            "nvidia_cuda_cupti-13.0.85.dist-info/licenses/": "licenses/nvidia-cuda-cupti/",
        },
    ),
    Wheel(
        project="nvidia-cuda-runtime",
        version="13.0.96",
        filename="nvidia_cuda_runtime-13.0.96-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
        size=2243632,
        sha256="7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548",
        record_sha256="34c7a65651597fd8a376b049b69bb26db399a9ea443a7a142ccd34f5a10f79c4",
        members={
            "nvidia/cu13/lib/libcudart.so.13": "lib/libcudart.so.13",
            "nvidia_cuda_runtime-13.0.96.dist-info/licenses/": "licenses/nvidia-cuda-runtime/",
        },
    ),
)
