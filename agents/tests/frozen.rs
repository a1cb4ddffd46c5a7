//! Acting without libtorch: the same bits in every build, and no allocation.
#![allow(clippy::unwrap_used, reason = "tests")]

use gambol_agents::choice::Choice;
use gambol_agents::frozen::Actor;
use gambol_agents::mlp::Activation;
use gambol_agents::network::{Form, Network};
use gambol_agents::policy::{ActionBuffer, LaneRngs, Policy, View};
use gambol_envs::EnvFactory;
use gambol_envs::foraging::{Foraging, Mode};
use gambol_envs::seed::{Purpose, Streams, unit_f64};

fn numbers(count: usize, lane: u32) -> Vec<f32> {
    let mut rng = Streams::new(2024).at(Purpose::Init, lane, 0);
    (0..count).map(|_| (unit_f64(&mut rng) - 0.5) as f32).collect()
}

fn filled(form: &Form) -> Network {
    let mut network = Network::new(form);
    network.fill(&numbers(form.size(), 0)).unwrap();
    network
}

/// FNV-1a over the bits of every output.
fn digest(values: &[f32]) -> u64 {
    let bytes = values.iter().flat_map(|value| value.to_bits().to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Whatever the machine, the instruction set, the profile and the number of threads: these constants must come out.
#[test]
fn outputs_are_these_bits_in_every_build() {
    let found = [
        (1, &[14, 64, 64, 6][..], Activation::Relu),
        (1, &[14, 64, 64, 6][..], Activation::Tanh),
        (3, &[7, 33, 5][..], Activation::Tanh),
    ]
    .map(|(sets, widths, activation)| {
        let form = Form { sets, widths: widths.to_vec(), activation, recurrent: false };
        let (inputs, outputs) = (widths[0], widths[widths.len() - 1]);
        let mut y = vec![0.0; 600 * outputs];
        filled(&form).forward(&numbers(600 * inputs, 1), &mut y).unwrap();
        (y[0].to_bits(), digest(&y))
    });
    let expected = [
        (0x3f08_ce40, 0x6b53_c04a_7d5b_676c),
        (0x3efc_9b53, 0x116b_35e0_5c4d_dcb6),
        (0xbe12_e43a, 0x42c6_c72f_6383_86d3),
    ];
    assert_eq!(found, expected, "{found:#x?}");
}

/// As above, for a recurrent network through ten moments.
#[test]
fn memories_are_these_bits_in_every_build() {
    let found = [(1, &[14, 64, 64, 6][..]), (3, &[7, 33, 5][..])].map(|(sets, widths)| {
        let form =
            Form { sets, widths: widths.to_vec(), activation: Activation::Relu, recurrent: true };
        let (inputs, outputs) = (widths[0], widths[widths.len() - 1]);
        let mut network = filled(&form);
        let (mut y, mut memory) = (vec![0.0; 600 * outputs], vec![0.0; 600 * form.memory()]);
        for moment in 0..10 {
            let x = numbers(600 * inputs, 1 + moment);
            network.step(&x, &mut memory, &mut y).unwrap();
        }
        (y[0].to_bits(), digest(&y), digest(&memory))
    });
    assert_eq!(found, MEMORIES, "{found:#x?}");
}

const MEMORIES: [(u32, u64, u64); 2] = [
    (0xbe34_0246, 0xe751_44b1_8c8d_50f3, 0x09fa_c07f_1da6_667c),
    (0x3f73_ae6f, 0x53c8_58a8_30cc_29e7, 0xcf64_c5b6_77cc_9c28),
];

/// In a pool of one thread; with several, rayon's own queues may grow.
#[test]
fn forward_and_act_do_not_allocate() {
    let counts = allocation_counter::measure(|| drop(std::hint::black_box(vec![0_u8; 64])));
    assert!(counts.count_total > 0, "the counting allocator is in place");
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    pool.install(|| {
        for (activation, recurrent) in
            [(Activation::Relu, false), (Activation::Tanh, false), (Activation::Relu, true)]
        {
            let form = Form { sets: 1, widths: vec![14, 64, 64, 6], activation, recurrent };
            let mut network = filled(&form);
            let units = form.memory();
            let (x, mut y) = (numbers(700 * 14, 1), vec![0.0; 700 * 6]);
            let mut memory = vec![0.0; 700 * units];
            network.step(&x, &mut memory, &mut y).unwrap();
            for rows in [1, 5, 256, 257, 700] {
                let counted = allocation_counter::measure(|| {
                    let memory = &mut memory[..rows * units];
                    network.step(&x[..rows * 14], memory, &mut y[..rows * 6]).unwrap();
                });
                assert_eq!(counted.count_total, 0, "{rows} rows");
            }
        }
        let spec = Foraging::task("Foraging-8x8-2p-2f-coop-v3", Mode::Clean).spec().unwrap();
        for (choice, recurrent) in
            [(Choice::Greedy, false), (Choice::EpsilonGreedy(0.5), false), (Choice::Softmax, true)]
        {
            let (widths, activation) = (vec![14, 64, 64, 6], Activation::Relu);
            let form = Form { sets: 1, widths, activation, recurrent };
            let mut actor = Actor::new(form.clone(), &spec, true, choice).unwrap();
            actor.fill(&numbers(form.size(), 0)).unwrap();
            let (envs, streams) = (300, Streams::new(1));
            let (observations, masks) = (numbers(envs * 2 * 12, 2), vec![true; envs * 2 * 6]);
            let view = View {
                envs,
                agents: 2,
                observations: &observations,
                masks: &masks,
                state: &[],
                started: &vec![true; envs],
            };
            let mut rngs = LaneRngs::new(streams, Purpose::Policy, 0, envs);
            let mut actions = ActionBuffer::new(&spec, envs);
            let mut step = || {
                rngs.begin(view.started);
                actor.act(&view, &mut rngs, &mut actions).unwrap();
            };
            step();
            let counted = allocation_counter::measure(step);
            assert_eq!(counted.count_total, 0, "{choice:?}");
        }
    });
}
