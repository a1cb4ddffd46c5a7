//! Writes random games as `.nfg` files, for comparisons with other packages in `tests/peers`.
//!
//! `random_games FAMILY SEED COUNT FOLDER` writes games 0, 1, .. of a family in RON, such as
//! `Integer(actions: [3, 3], low: -50, high: 50)`, as `FOLDER/0000.nfg`, `FOLDER/0001.nfg`, ..

use std::error::Error;
use std::path::Path;

use gambol_solvers::game::generate::Generator;
use gambol_solvers::game::nfg;
use gambol_solvers::seed::Streams;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [family, seed, count, folder] = arguments.as_slice() else {
        return Err("usage: random_games FAMILY SEED COUNT FOLDER".into());
    };
    let family: Generator = ron::from_str(family)?;
    let streams = Streams::new(seed.parse()?);
    std::fs::create_dir_all(folder)?;
    for index in 0..count.parse()? {
        let game = family.generate(streams, index)?;
        let file = Path::new(folder).join(format!("{index:04}.nfg"));
        std::fs::write(file, nfg::write(&game))?;
    }
    Ok(())
}
