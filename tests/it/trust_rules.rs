//! Monster-Hunt and Escalation: every rule on a board worked out by hand, and a straight-line re-implementation that
//! must agree over thousands of random steps.

use gambol_envs::EnvFactory;
use gambol_envs::batch::{Actions, BatchEnv, Buffers, End};
use gambol_envs::seed::{Purpose, Streams, below};
use gambol_envs::trust::{Escalation, Layout, MonsterHunt};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

const LEFT: u16 = 0;
const RIGHT: u16 = 1;
const UP: u16 = 2;
const DOWN: u16 = 3;
const STAY: u16 = 4;

type Cell = (u8, u8);

/// A one-lane environment with its buffers.
struct Game {
    env: Box<dyn BatchEnv>,
    out: Buffers,
}

impl Game {
    fn new(config: &dyn EnvFactory, seed: u64) -> Self {
        let mut env = config.build(0..1, 1, Streams::new(seed)).unwrap();
        let mut out = Buffers::new(env.spec(), 1);
        env.reset(0, out.outbox()).unwrap();
        env.watch(0).unwrap();
        Self { env, out }
    }

    fn step(&mut self, actions: &[u16]) -> Vec<f32> {
        self.env.step(Actions::Discrete(actions), self.out.outbox()).unwrap();
        self.out.rewards.clone()
    }

    fn state(&mut self) -> Value {
        self.env.describe(0).unwrap()
    }

    fn cell(&mut self, key: &str) -> Cell {
        cell(&self.state()[key])
    }
}

fn cell(value: &Value) -> Cell {
    let number = |key: &str| value[key].as_u64().unwrap() as u8;
    (number("row"), number("col"))
}

fn at((row, col): Cell) -> Value {
    json!({ "row": row, "col": col })
}

fn fixed(agents: &[Cell], things: &[Cell]) -> Layout {
    Layout::Fixed { agents: agents.to_vec(), things: things.to_vec() }
}

/// A monster that stands still, and apples that stay away, so that one rule is seen at a time.
fn hunt(agents: &[Cell], things: &[Cell]) -> MonsterHunt {
    MonsterHunt {
        agents: agents.len(),
        apples: things.len() - 1,
        chases: false,
        layout: fixed(agents, things),
        ..MonsterHunt::default()
    }
}

fn escalation(agents: &[Cell], light: Cell) -> Escalation {
    Escalation { agents: agents.len(), layout: fixed(agents, &[light]), ..Escalation::default() }
}

#[test]
fn agents_walk_one_cell_and_stay_on_the_board() {
    for (action, middle, corner) in [
        (LEFT, (2, 1), (0, 0)),
        (RIGHT, (2, 3), (0, 1)),
        (UP, (1, 2), (0, 0)),
        (DOWN, (3, 2), (1, 0)),
        (STAY, (2, 2), (0, 0)),
    ] {
        let mut game = Game::new(&hunt(&[(2, 2), (0, 0)], &[(4, 4), (4, 0), (0, 4)]), 1);
        // In the corner only what stays on the board is allowed; in the middle everything.
        assert!(game.out.masks[..5].iter().all(|&open| open));
        assert_eq!(game.out.masks[5..], [false, true, false, true, true]);
        assert_eq!(game.step(&[action, action]), [0.0, 0.0]);
        assert_eq!(game.state()["agents"], json!([at(middle), at(corner)]), "action {action}");
    }
    let mut game = Game::new(&hunt(&[(4, 4), (4, 4)], &[(0, 0), (0, 1), (0, 2)]), 1);
    game.step(&[RIGHT, DOWN]);
    assert_eq!(game.state()["agents"], json!([at((4, 4)), at((4, 4))]), "cells may be shared");
}

#[test]
fn together_the_monster_is_prey_alone_it_is_the_hunter() {
    let board = |second| hunt(&[(2, 1), second], &[(2, 2), (4, 0), (4, 4)]);
    let mut game = Game::new(&board((1, 2)), 3);
    assert_eq!(game.step(&[RIGHT, DOWN]), [5.0, 5.0]);
    let state = game.state();
    assert_eq!((state["together"].as_u64(), state["betrayed"].as_u64()), (Some(1), Some(0)));
    let monster = cell(&state["monster"]);
    assert!(![(2, 2), (4, 0), (4, 4)].contains(&monster), "it comes back on a free cell");

    let mut game = Game::new(&board((0, 2)), 3);
    assert_eq!(game.step(&[RIGHT, DOWN]), [-2.0, 0.0]);
    let state = game.state();
    assert_eq!((state["together"].as_u64(), state["betrayed"].as_u64()), (Some(0), Some(1)));
    assert_ne!(cell(&state["monster"]), (2, 2), "whom it met alone, it leaves too");
}

#[test]
fn three_are_needed_where_the_scenario_says_so() {
    let cells = [(2, 1), (1, 2), (3, 2), (0, 0)];
    let config = MonsterHunt { needed: 3, ..hunt(&cells, &[(2, 2)]) };
    let mut game = Game::new(&config, 3);
    assert_eq!(game.step(&[RIGHT, DOWN, UP, STAY]), [5.0, 5.0, 5.0, 0.0]);
    let mut game = Game::new(&config, 3);
    assert_eq!(game.step(&[RIGHT, DOWN, STAY, STAY]), [-2.0, -2.0, 0.0, 0.0]);
    assert_eq!(game.state()["betrayed"], 2);
}

#[test]
fn apples_are_eaten_once_and_come_back() {
    let mut game = Game::new(&hunt(&[(3, 0), (0, 3)], &[(2, 2), (4, 0), (0, 4)]), 5);
    assert_eq!(game.step(&[DOWN, RIGHT]), [2.0, 2.0]);
    let state = game.state();
    assert_eq!(state["safe"], 2);
    let apples: Vec<_> = state["apples"].as_array().unwrap().iter().map(cell).collect();
    for apple in &apples {
        assert!(![(2, 2), (4, 0), (0, 4)].contains(apple), "{apple:?}");
    }
    assert_ne!(apples[0], apples[1]);
}

#[test]
fn an_apple_that_two_reach_goes_to_either_alike() {
    let config = hunt(&[(3, 0), (4, 1)], &[(0, 4), (4, 0)]);
    let mut first = 0;
    for seed in 0..400 {
        let rewards = Game::new(&config, seed).step(&[DOWN, LEFT]);
        assert!(rewards == [2.0, 0.0] || rewards == [0.0, 2.0], "{rewards:?}");
        first += u32::from(rewards[0] > 0.0);
    }
    // Four standard deviations of a fair coin.
    assert!((160..=240).contains(&first), "{first} of 400");
}

#[test]
fn monster_and_apple_on_one_cell_pay_both() {
    // Only a chase can bring them together: straight ahead, over the apple.
    let config = MonsterHunt { chases: true, ..hunt(&[(2, 1), (2, 0)], &[(2, 4), (2, 2), (0, 0)]) };
    let mut game = Game::new(&config, 1);
    game.step(&[STAY, STAY]);
    assert_eq!(game.cell("monster"), (2, 3));
    // The monster steps on the apple's cell, then the first agent does: -2 and 2.
    assert_eq!(game.step(&[RIGHT, STAY]), [0.0, 0.0]);
    let state = game.state();
    assert_eq!((state["betrayed"].as_u64(), state["safe"].as_u64()), (Some(1), Some(1)));
}

#[test]
fn without_respawn_what_is_gone_is_gone() {
    let config = MonsterHunt {
        respawn: false,
        steps: 5,
        ..hunt(&[(3, 0), (2, 3)], &[(2, 2), (4, 0), (0, 4)])
    };
    let mut game = Game::new(&config, 5);
    assert_eq!(game.step(&[DOWN, LEFT]), [2.0, -2.0]);
    let state = game.state();
    assert!(state["monster"].is_null() && state["apples"][0].is_null());
    assert_eq!(cell(&state["apples"][1]), (0, 4));
    // Own cell, other's cell, monster, apples.
    let seen = &game.out.observations[..10];
    assert_eq!(seen, [4.0, 0.0, 2.0, 2.0, -1.0, -1.0, -1.0, -1.0, 0.0, 4.0]);
    assert_eq!(game.step(&[STAY, STAY]), [0.0, 0.0], "nobody is met where the monster was");
}

#[test]
fn the_monster_goes_for_the_closest_and_the_first_of_equals() {
    let chase = |agents: &[Cell], monster, seed| {
        let things = [monster, (4, 4)];
        let config = MonsterHunt { chases: true, ..hunt(agents, &things) };
        let mut game = Game::new(&config, seed);
        game.step(&vec![STAY; agents.len()]);
        game.cell("monster")
    };
    assert_eq!(chase(&[(0, 2), (2, 4)], (2, 2), 1), (1, 2), "equal distances: the first");
    assert_eq!(chase(&[(2, 4), (0, 2)], (2, 2), 1), (2, 3));
    assert_eq!(chase(&[(4, 2), (3, 0)], (2, 2), 1), (3, 2), "4 is nearer than 5");
    let near = chase(&[(2, 4), (1, 1)], (2, 2), 1);
    assert!([(1, 2), (2, 1)].contains(&near), "2 is nearer than 4: {near:?}");
    // Both offsets differ: along either axis, alike.
    let up = (0..400).filter(|&seed| chase(&[(0, 0), (0, 0)], (3, 3), seed) == (2, 3)).count();
    let left = (0..400).filter(|&seed| chase(&[(0, 0), (0, 0)], (3, 3), seed) == (3, 2)).count();
    assert_eq!(up + left, 400);
    assert!((160..=240).contains(&up), "{up} of 400");
}

#[test]
fn the_monster_walks_around_an_apple_where_it_can() {
    for seed in 0..50 {
        let things = [(3, 3), (2, 3)];
        let config = MonsterHunt { chases: true, ..hunt(&[(0, 0), (0, 0)], &things) };
        let mut game = Game::new(&config, seed);
        game.step(&[STAY, STAY]);
        assert_eq!(game.cell("monster"), (3, 2), "the cell above is an apple's");
    }
}

#[test]
fn the_monster_moves_before_the_agents() {
    // It comes to (2, 3) and is then met there by the first; the second stands two cells away.
    let config = MonsterHunt { chases: true, ..hunt(&[(2, 2), (0, 0)], &[(2, 4)]) };
    assert_eq!(Game::new(&config, 1).step(&[RIGHT, STAY]), [-2.0, 0.0]);
    // Had it moved after them, the one who fled up would not be met, and neither would this one.
    assert_eq!(Game::new(&config, 1).step(&[UP, STAY]), [0.0, 0.0]);
}

#[test]
fn an_episode_is_cut_at_its_last_step_and_tells_what_was_counted() {
    let config = MonsterHunt { steps: 2, ..hunt(&[(3, 0), (0, 2)], &[(2, 2), (4, 0), (0, 4)]) };
    let mut game = Game::new(&config, 5);
    game.step(&[DOWN, DOWN]);
    assert_eq!(game.out.ends, [End::Running]);
    assert_eq!(game.step(&[STAY, DOWN]), [0.0, -2.0]);
    assert_eq!(game.out.ends, [End::Truncated]);
    assert_eq!(game.out.tallies, [0.0, 1.0, 1.0]);
    assert_eq!(game.env.spec().tallies, ["together", "betrayed", "safe"]);
    assert_eq!(game.state()["safe"], 0, "the next episode begins from nothing");
    assert_eq!(game.state()["agents"], json!([at((3, 0)), at((0, 2))]));
}

#[test]
fn the_light_pays_all_together_and_moves_beside() {
    let mut game = Game::new(&escalation(&[(2, 1), (1, 2)], (2, 2)), 2);
    assert_eq!(game.step(&[RIGHT, DOWN]), [1.0, 1.0]);
    let light = game.cell("light");
    assert_eq!(light.0.abs_diff(2) + light.1.abs_diff(2), 1, "{light:?}");
    assert_eq!(
        (game.state()["run"].as_u64(), game.state()["together"].as_u64()),
        (Some(1), Some(1))
    );
    // Own, other's, light, and one of at most fifty steps.
    let seen = &game.out.observations[..7];
    assert_eq!(seen[..4], [2.0; 4]);
    assert_eq!(seen[4..], [f32::from(light.0), f32::from(light.1), 1.0 / 50.0]);
}

/// Brings both along with the light for `steps` steps.
fn along(game: &mut Game, steps: usize) {
    for _ in 0..steps {
        let (light, state) = (game.cell("light"), game.state());
        let go: Vec<_> =
            (0..2).map(|agent| towards(cell(&state["agents"][agent]), light)).collect();
        assert_eq!(game.step(&go), [1.0, 1.0]);
    }
}

fn towards((row, col): Cell, to: Cell) -> u16 {
    match (to.0.cmp(&row), to.1.cmp(&col)) {
        (std::cmp::Ordering::Less, _) => UP,
        (std::cmp::Ordering::Greater, _) => DOWN,
        (_, std::cmp::Ordering::Less) => LEFT,
        (_, std::cmp::Ordering::Greater) => RIGHT,
        _ => STAY,
    }
}

#[test]
fn a_betrayal_costs_more_the_longer_it_went_well_and_ends_the_episode() {
    for steps in [1_u8, 2, 5] {
        let mut game = Game::new(&escalation(&[(2, 2), (2, 2)], (2, 2)), 4);
        along(&mut game, usize::from(steps));
        let (light, state) = (game.cell("light"), game.state());
        let go = towards(cell(&state["agents"][0]), light);
        let rewards = game.step(&[go, STAY]);
        assert_eq!(rewards, [-0.9 * f32::from(steps), 0.0]);
        assert_eq!(game.out.ends, [End::Terminated]);
        assert_eq!(game.out.tallies, [f32::from(steps), 1.0]);
    }
}

#[test]
fn before_the_first_step_together_nobody_can_be_betrayed() {
    let mut game = Game::new(&escalation(&[(2, 2), (0, 0)], (2, 2)), 4);
    for _ in 0..3 {
        assert_eq!(game.step(&[STAY, STAY]), [0.0, 0.0]);
        assert_eq!((game.cell("light"), game.out.ends[0]), ((2, 2), End::Running));
    }
}

#[test]
fn neither_on_the_light_breaks_nothing() {
    let mut game = Game::new(&escalation(&[(2, 2), (2, 2)], (2, 2)), 4);
    along(&mut game, 2);
    let light = game.cell("light");
    assert_eq!(game.step(&[STAY, STAY]), [0.0, 0.0]);
    assert_eq!((game.cell("light"), game.state()["run"].as_u64()), (light, Some(2)));
}

#[test]
fn where_a_betrayal_does_not_end_the_episode_the_count_begins_anew() {
    let config = Escalation { ends: false, ..escalation(&[(2, 2), (2, 2)], (2, 2)) };
    let mut game = Game::new(&config, 4);
    along(&mut game, 3);
    let (light, state) = (game.cell("light"), game.state());
    let go = towards(cell(&state["agents"][1]), light);
    assert_eq!(game.step(&[STAY, go]), [0.0, -0.9 * 3.0]);
    let state = game.state();
    assert_eq!((game.out.ends[0], state["run"].as_u64()), (End::Running, Some(0)));
    assert!(!state["agents"].as_array().unwrap().contains(&state["light"]), "on a free cell");
}

#[test]
fn memory_shows_what_the_others_did() {
    let config = MonsterHunt { memory: true, ..hunt(&[(2, 2), (0, 0)], &[(4, 4)]) };
    let mut game = Game::new(&config, 1);
    let size = game.env.spec().observation.size();
    assert_eq!(size, 6 + 5);
    assert_eq!(game.out.observations[6..size], [0.0; 5], "nothing was done yet");
    game.step(&[UP, RIGHT]);
    assert_eq!(game.out.observations[6..size], [0.0, 1.0, 0.0, 0.0, 0.0]);
    assert_eq!(game.out.observations[size + 6..], [0.0, 0.0, 1.0, 0.0, 0.0]);
}

#[test]
fn layouts_that_do_not_fit_are_refused() {
    let config = MonsterHunt {
        layout: fixed(&[(0, 0)], &[(5, 0), (1, 1), (1, 1)]),
        ..MonsterHunt::default()
    };
    let problems = config.spec().unwrap_err().problems;
    assert_eq!(
        problems,
        [
            "`layout`: 1 cells for 2 agents",
            "`layout`: (5, 0) is outside the 5 by 5 board",
            "`layout`: two things on (1, 1)",
        ]
    );
}

/// The rules once more, written from their description, for one instance.
struct Plain {
    rows: i32,
    cols: i32,
    agents: Vec<(i32, i32)>,
    /// The monster or the light first.
    things: Vec<Option<(i32, i32)>>,
    run: u32,
    step: u32,
    tallies: [u32; 3],
}

impl Plain {
    fn new(rows: u8, cols: u8, agents: usize, things: usize, rng: &mut ChaCha8Rng) -> Self {
        let mut plain = Self {
            rows: i32::from(rows),
            cols: i32::from(cols),
            agents: Vec::new(),
            things: Vec::new(),
            run: 0,
            step: 0,
            tallies: [0; 3],
        };
        for _ in 0..agents {
            let cell = plain.free(rng);
            plain.agents.push(cell);
        }
        for _ in 0..things {
            let cell = plain.free(rng);
            plain.things.push(Some(cell));
        }
        plain
    }

    fn free(&self, rng: &mut ChaCha8Rng) -> (i32, i32) {
        loop {
            let number = below(rng, (self.rows * self.cols) as u32) as i32;
            let cell = (number / self.cols, number % self.cols);
            if !self.agents.contains(&cell) && !self.things.contains(&Some(cell)) {
                return cell;
            }
        }
    }

    fn go(&self, (row, col): (i32, i32), action: u16) -> (i32, i32) {
        let (rows, cols) = [(0, -1), (0, 1), (-1, 0), (1, 0), (0, 0)][usize::from(action)];
        ((row + rows).clamp(0, self.rows - 1), (col + cols).clamp(0, self.cols - 1))
    }

    fn walk(&mut self, actions: &[u16]) {
        self.step += 1;
        for (agent, &action) in actions.iter().enumerate() {
            self.agents[agent] = self.go(self.agents[agent], action);
        }
    }

    fn chase(&mut self, rng: &mut ChaCha8Rng) {
        let Some(monster) = self.things[0] else { return };
        let mut best: Option<(i32, (i32, i32))> = None;
        for &agent in &self.agents {
            let distance = (agent.0 - monster.0).pow(2) + (agent.1 - monster.1).pow(2);
            if best.is_none_or(|(least, _)| distance < least) {
                best = Some((distance, agent));
            }
        }
        let (_, prey) = best.unwrap();
        let along_rows = (monster.0 + (prey.0 - monster.0).signum(), monster.1);
        let along_cols = (monster.0, monster.1 + (prey.1 - monster.1).signum());
        let (first, second) = if prey.0 == monster.0 {
            (along_cols, along_cols)
        } else if prey.1 == monster.1 {
            (along_rows, along_rows)
        } else if below(rng, 2) == 0 {
            (along_rows, along_cols)
        } else {
            (along_cols, along_rows)
        };
        let blocked = first != second && self.things[1..].contains(&Some(first));
        self.things[0] = Some(if blocked { second } else { first });
    }

    fn hunt(&mut self, rules: &MonsterHunt, actions: &[u16], rng: &mut ChaCha8Rng) -> Vec<f32> {
        if rules.chases {
            self.chase(rng);
        }
        self.walk(actions);
        let mut rewards = vec![0.0; self.agents.len()];
        let on = |agents: &[(i32, i32)], cell: Option<(i32, i32)>| -> Vec<usize> {
            (0..agents.len()).filter(|&agent| Some(agents[agent]) == cell).collect()
        };
        let hunters = on(&self.agents, self.things[0]);
        let enough = hunters.len() >= rules.needed;
        for &hunter in &hunters {
            rewards[hunter] += if enough { rules.together } else { rules.alone };
        }
        if enough {
            self.tallies[0] += 1;
        } else {
            self.tallies[1] += hunters.len() as u32;
        }
        if !hunters.is_empty() {
            self.things[0] = None;
        }
        for apple in 1..self.things.len() {
            let eaters = on(&self.agents, self.things[apple]);
            let eater = match eaters.len() {
                0 => continue,
                1 => eaters[0],
                several => eaters[below(rng, several as u32) as usize],
            };
            rewards[eater] += rules.apple;
            self.tallies[2] += 1;
            self.things[apple] = None;
        }
        if rules.respawn {
            for thing in 0..self.things.len() {
                if self.things[thing].is_none() {
                    self.things[thing] = Some(self.free(rng));
                }
            }
        }
        rewards
    }

    /// Rewards, and whether a betrayal ended the episode.
    fn escalate(
        &mut self,
        rules: &Escalation,
        actions: &[u16],
        rng: &mut ChaCha8Rng,
    ) -> (Vec<f32>, bool) {
        self.walk(actions);
        let light = self.things[0].unwrap();
        let mut rewards = vec![0.0; self.agents.len()];
        if self.agents.iter().all(|&agent| agent == light) {
            rewards.fill(rules.together);
            self.run += 1;
            self.tallies[0] += 1;
            while self.things[0] == Some(light) {
                self.things[0] = Some(self.go(light, below(rng, 4) as u16));
            }
        } else if self.run > 0 && self.agents.contains(&light) {
            for (agent, reward) in self.agents.iter().zip(&mut rewards) {
                if *agent == light {
                    *reward = rules.alone * self.run as f32;
                    self.tallies[1] += 1;
                }
            }
            self.run = 0;
            if !rules.ends {
                self.things[0] = Some(self.free(rng));
            }
            return (rewards, rules.ends);
        }
        (rewards, false)
    }

    /// What an agent sees, without the memory.
    fn seen(&self, agent: usize, run: Option<f32>) -> Vec<f32> {
        let mut cells = vec![Some(self.agents[agent])];
        for other in (0..self.agents.len()).filter(|&other| other != agent) {
            cells.push(Some(self.agents[other]));
        }
        cells.extend(&self.things);
        let cells = cells.into_iter().map(|cell| cell.unwrap_or((-1, -1)));
        cells.flat_map(|(row, col)| [row as f32, col as f32]).chain(run).collect()
    }
}

/// The configuration under test.
enum Rules {
    Hunt(MonsterHunt),
    Escalation(Escalation),
}

/// `steps` random steps, with more of them towards the first thing so that much happens there.
fn agrees(rules: &Rules, seed: u64, steps: usize) -> [u32; 3] {
    let (config, size, count, things, limit): (&dyn EnvFactory, _, _, _, _) = match rules {
        Rules::Hunt(hunt) => (hunt, hunt.size, hunt.agents, 1 + hunt.apples, hunt.steps),
        Rules::Escalation(game) => (game, game.size, game.agents, 1, game.steps),
    };
    let streams = Streams::new(seed);
    let (lane, mut episode) = (5, 0);
    let mut env = config.build(lane..lane + 1, 1, streams).unwrap();
    let spec = env.spec().clone();
    let mut out = Buffers::new(&spec, 1);
    env.reset(0, out.outbox()).unwrap();
    let begin = |episode: u32| {
        let mut rng = streams.at(Purpose::Episode, lane, episode);
        (Plain::new(size.0, size.1, count, things, &mut rng), rng)
    };
    let (mut plain, mut rng) = begin(0);
    let mut player = streams.at(Purpose::Policy, 0, 0);
    let mut sums = [0; 3];
    for step in 0..steps {
        let size = spec.observation.size();
        let share = matches!(rules, Rules::Escalation(_)).then(|| plain.run as f32 / limit as f32);
        for agent in 0..count {
            let seen = plain.seen(agent, share);
            let row = &out.observations[agent * size..][..seen.len()];
            assert_eq!(row, seen, "step {step}, agent {agent}");
        }
        let actions: Vec<u16> = (0..count)
            .map(|agent| match (below(&mut player, 3), plain.things[0]) {
                (0, Some(goal)) => {
                    let short = |(row, col): (i32, i32)| (row as u8, col as u8);
                    towards(short(plain.agents[agent]), short(goal))
                }
                _ => below(&mut player, 5) as u16,
            })
            .collect();
        let (rewards, over) = match rules {
            Rules::Hunt(hunt) => (plain.hunt(hunt, &actions, &mut rng), false),
            Rules::Escalation(game) => plain.escalate(game, &actions, &mut rng),
        };
        let end = match (over, plain.step >= limit) {
            (true, _) => End::Terminated,
            (false, true) => End::Truncated,
            (false, false) => End::Running,
        };
        env.step(Actions::Discrete(&actions), out.outbox()).unwrap();
        assert_eq!(out.rewards, rewards, "step {step}");
        assert_eq!(out.ends, [end], "step {step}");
        if end.is_over() {
            let counts = plain.tallies.map(|count| count as f32);
            assert_eq!(out.tallies, counts[..spec.tallies.len()], "step {step}");
            for (sum, count) in sums.iter_mut().zip(plain.tallies) {
                *sum += count;
            }
            episode += 1;
            (plain, rng) = begin(episode);
        }
    }
    sums
}

#[test]
fn monster_hunt_agrees_with_a_straight_line_reimplementation() {
    let base = MonsterHunt::default();
    let many = MonsterHunt { size: (4, 7), agents: 4, needed: 3, apples: 3, ..base.clone() };
    let gone = MonsterHunt { respawn: false, steps: 30, memory: true, ..base.clone() };
    let still = MonsterHunt { chases: false, apples: 0, ..base.clone() };
    for (index, config) in [base, many, gone, still].into_iter().enumerate() {
        let apples = config.apples > 0;
        let [together, betrayed, safe] = agrees(&Rules::Hunt(config), index as u64, 10_000);
        assert!(together > 3 && betrayed > 100, "{index}: {together} and {betrayed}");
        assert_eq!(safe > 100, apples, "{index}: {safe}");
    }
}

#[test]
fn escalation_agrees_with_a_straight_line_reimplementation() {
    let base = Escalation::default();
    let goes_on = Escalation { ends: false, agents: 3, size: (3, 4), ..base.clone() };
    let dear = Escalation { alone: -3.0, together: 0.5, memory: true, steps: 7, ..base.clone() };
    for (index, config) in [base, goes_on, dear].into_iter().enumerate() {
        let [together, betrayed, _] = agrees(&Rules::Escalation(config), index as u64, 10_000);
        assert!(together > 100 && betrayed > 30, "{index}: {together} and {betrayed}");
    }
}
