//! Driving: recorded trajectories T2 to T10 and facts 29 to 42 of the fact sheet `rae-psro-driving.md`.
//!
//! Tolerances: 1e-8 where the sheet gives nine digits, 1e-4 for T9 and T10, whose first positions it rounds to six.

use std::collections::BTreeMap;
use std::f64::consts::PI;

use gambol_envs::EnvFactory;
use gambol_envs::batch::{Actions, BatchEnv, Buffers, End};
use gambol_envs::driving::{
    Action, Car, Driver, Driving, Feature, Grid, Kinematics, Lidar, Look, MetaActions, Obstacle,
    Part, Population, Reward, Road, Rule, Scene, Shape, WheelActions,
};
use gambol_envs::seed::Streams;
use serde_json::Value;

const LEFT: u16 = 0;
const IDLE: u16 = 1;
const RIGHT: u16 = 2;
const FASTER: u16 = 3;
const SLOWER: u16 = 4;

fn car(x: f64, y: f64, speed: f64) -> Car {
    let text = format!(r#"{{"x": {x}, "y": {y}, "speed": {speed}}}"#);
    serde_json::from_str(&text).unwrap()
}

fn learner(x: f64, y: f64, speed: f64) -> Car {
    Car { role: Some("ego".to_owned()), ..car(x, y, speed) }
}

fn constant(x: f64, y: f64, speed: f64) -> Car {
    Car { kind: Driver::Vehicle, ..car(x, y, speed) }
}

/// A learner that stands before the road and is seen by nobody.
fn bystander() -> Car {
    Car { heading: 0.0, ..learner(-500.0, 0.0, 0.0) }
}

fn standing() -> Action {
    Action::Meta(MetaActions { target_speeds: vec![0.0, 1.0], ..MetaActions::default() })
}

fn highway(lanes: usize) -> Road {
    Road::Highway { lanes, length: 10_000.0, speed_limit: 30.0 }
}

/// A fixed scene in which every step is one frame.
fn frames(road: Road, vehicles: Vec<Car>) -> Driving {
    Driving {
        road: Some(road),
        scene: Scene::Fixed { vehicles },
        policy_frequency: Some(15),
        duration: Some(f64::INFINITY),
        ..Driving::task("highway-v0")
    }
}

/// The same with a learner that takes no part.
fn observed(road: Road, mut vehicles: Vec<Car>) -> Driving {
    vehicles.push(bystander());
    Driving { actions: Some(standing()), ..frames(road, vehicles) }
}

struct Game {
    env: Box<dyn BatchEnv>,
    out: Buffers,
}

impl Game {
    fn new(config: &Driving) -> Self {
        Self::seeded(config, 1)
    }

    fn seeded(config: &Driving, seed: u64) -> Self {
        let mut env = config.build(0..1, 1, Streams::new(seed)).unwrap();
        let mut out = Buffers::new(env.spec(), 1);
        env.watch(0).unwrap();
        env.reset(0, out.outbox()).unwrap();
        Self { env, out }
    }

    fn step(&mut self, actions: &[u16]) -> f64 {
        self.env.step(Actions::Discrete(actions), self.out.outbox()).unwrap();
        f64::from(self.out.rewards[0])
    }

    /// Steps until step number `to`, the first being 1, doing nothing.
    fn idle(&mut self, from: usize, to: usize) {
        for _ in from..to {
            self.step(&[IDLE]);
        }
    }

    fn over(&self) -> bool {
        self.out.ends[0].is_over()
    }

    fn state(&mut self) -> Value {
        if self.over() {
            self.env.describe_last(0).unwrap().clone()
        } else {
            self.env.describe(0).unwrap()
        }
    }

    fn vehicle(&mut self, index: usize, field: &str) -> f64 {
        self.state()["vehicles"][index][field].as_f64().unwrap()
    }

    fn crashed(&mut self, index: usize) -> bool {
        self.state()["vehicles"][index]["crashed"].as_bool().unwrap()
    }

    fn check(&mut self, index: usize, expected: &[(&str, f64)], tolerance: f64) {
        for &(field, expected) in expected {
            let found = self.vehicle(index, field);
            assert!((found - expected).abs() < tolerance, "{field}: {found}, expected {expected}");
        }
    }
}

const FINE: f64 = 1e-8;
const ROUGH: f64 = 1e-4;

#[test]
fn t2_lane_change() {
    let mut game = Game::new(&frames(highway(4), vec![learner(0.0, 0.0, 25.0)]));
    let expected = [
        (1, 1.651_416_960, 0.224_943_997, 0.089_977_599),
        (2, 3.293_409_759, 0.510_666_633, 0.144_787_007),
        (5, 8.202_368_591, 1.460_412_064, 0.188_876_133),
        (10, 16.439_024_998, 2.714_359_947, 0.128_934_562),
        (15, 24.742_330_368, 3.408_175_017, 0.066_813_332),
        (30, 49.733_704_296, 3.953_980_455, 0.005_856_802),
        (60, 99.733_648_171, 3.999_790_719, 0.000_027_756),
    ];
    let mut frame = 0;
    for (at, x, y, heading) in expected {
        if frame == 0 {
            game.step(&[RIGHT]);
            frame = 1;
        }
        game.idle(frame, at);
        frame = at;
        game.check(0, &[("x", x), ("y", y), ("heading", heading)], FINE);
        assert_eq!(game.state()["vehicles"][0]["lane"][2], u16::from(at >= 10), "frame {at}");
    }
}

#[test]
fn t3_faster() {
    let mut game = Game::new(&frames(highway(4), vec![learner(0.0, 0.0, 25.0)]));
    game.step(&[FASTER]);
    game.check(0, &[("speed", 25.555_555_556)], FINE);
    game.idle(1, 5);
    game.check(0, &[("speed", 27.225_355_213)], FINE);
    game.idle(5, 15);
    game.check(0, &[("speed", 29.145_558_827), ("x", 27.512_664_704)], FINE);
    game.idle(15, 30);
    game.check(0, &[("speed", 29.853_986_056), ("x", 57.087_608_366)], FINE);
}

#[test]
fn t4_idm_behind_a_constant_leader() {
    let mut ego = car(0.0, 0.0, 25.0);
    ego.target_speed = Some(30.0);
    let mut game = Game::new(&observed(highway(1), vec![ego, constant(50.0, 0.0, 20.0)]));
    let expected = [
        (1, 1.666_666_667, 24.779_571_577),
        (2, 3.318_638_105, 24.570_181_090),
        (15, 23.734_234_573, 22.582_464_968),
        (75, 107.013_593_321, 19.946_214_185),
        (150, 206.089_694_955, 19.822_613_434),
        (300, 405.375_269_995, 19.988_217_589),
        (450, 605.346_717_076, 20.000_040_158),
    ];
    let mut frame = 0;
    for (at, x, speed) in expected {
        game.idle(frame, at);
        frame = at;
        game.check(0, &[("x", x), ("speed", speed)], FINE);
    }
}

#[test]
fn t5_mobil_decides_at_frame_nine() {
    let mut ego = car(0.0, 0.0, 25.0);
    ego.timer = Some(0.5);
    let mut game = Game::new(&observed(highway(2), vec![ego, constant(40.0, 0.0, 15.0)]));
    game.idle(0, 1);
    game.check(0, &[("speed", 24.6)], FINE);
    game.idle(1, 8);
    game.check(0, &[("speed", 21.8), ("x", 12.586_666_667), ("y", 0.0)], FINE);
    assert_eq!(game.state()["vehicles"][0]["target_lane"][2], 0);
    game.idle(8, 9);
    assert_eq!(game.state()["vehicles"][0]["target_lane"][2], 1);
    let at_nine =
        [("x", 14.016_737_055), ("y", 0.258_991_240), ("heading", 0.103_596_496), ("speed", 21.4)];
    game.check(0, &at_nine, FINE);
    game.idle(9, 15);
    let at_fifteen = [
        ("x", 21.978_331_650),
        ("y", 2.052_389_016),
        ("heading", 0.210_251_111),
        ("speed", 19.079_499_370),
    ];
    game.check(0, &at_fifteen, FINE);
    game.idle(15, 30);
    game.check(0, &[("x", 41.825_550_953), ("y", 3.779_465_198), ("speed", 20.858_978_661)], FINE);
    game.idle(30, 60);
    game.check(0, &[("x", 86.033_486_082), ("y", 3.998_438_220), ("speed", 23.171_456_902)], FINE);
    game.idle(60, 90);
    game.check(0, &[("x", 133.578_885_886), ("y", 3.999_991_694), ("speed", 24.260_476_517)], FINE);
}

#[test]
fn t6_rear_end_pushes_both_apart() {
    let vehicles = vec![constant(0.0, 0.0, 30.0), constant(20.0, 0.0, 0.0)];
    let mut game = Game::new(&observed(highway(1), vehicles));
    game.idle(0, 7);
    game.check(0, &[("x", 14.0), ("speed", 30.0)], FINE);
    assert!(!game.crashed(0) && !game.crashed(1));
    game.idle(7, 8);
    game.check(0, &[("x", 15.5), ("speed", 30.0)], FINE);
    game.check(1, &[("x", 20.5)], FINE);
    assert!(game.crashed(0) && game.crashed(1));
    game.idle(8, 9);
    game.check(0, &[("x", 16.5), ("speed", 28.0)], FINE);
    game.check(1, &[("x", 21.5)], FINE);
    game.idle(9, 10);
    game.check(0, &[("x", 17.433_333_333), ("speed", 26.133_333_333)], FINE);
    game.idle(10, 15);
    game.check(0, &[("x", 21.245_590_870), ("speed", 18.508_818_261)], FINE);
}

#[test]
fn t7_obstacles_do_not_yield() {
    let lane = Part {
        from: "0".to_owned(),
        to: "1".to_owned(),
        shape: Shape::Straight { start: (0.0, 0.0), end: (1000.0, 0.0) },
        width: 4.0,
        speed_limit: Some(30.0),
        forbidden: false,
        priority: 0,
    };
    let obstacles = vec![Obstacle { x: 20.0, y: 0.0, heading: 0.0 }];
    let road = Road::Custom { lanes: vec![lane], obstacles };
    let mut game = Game::new(&observed(road, vec![constant(0.0, 0.0, 30.0)]));
    game.idle(0, 8);
    game.check(0, &[("x", 16.0), ("speed", 30.0)], FINE);
    assert!(!game.crashed(0));
    game.idle(8, 9);
    game.check(0, &[("x", 16.5), ("speed", 30.0)], FINE);
    assert!(game.crashed(0));
    for (frame, speed) in [(10, 28.0), (11, 26.133_333_333), (12, 24.391_111_111)] {
        game.idle(frame - 1, frame);
        game.check(0, &[("x", 16.5), ("speed", speed)], FINE);
    }
}

#[test]
fn t8_highway_rewards() {
    let config = Driving {
        policy_frequency: Some(1),
        ..frames(highway(4), vec![learner(180.762_532_921, 8.0, 25.0)])
    };
    let mut game = Game::new(&config);
    let expected = [
        (IDLE, 0.844_444_444, 205.762_532_921, 8.0),
        (FASTER, 0.954_992_680, 233.275_197_625, 8.0),
        (RIGHT, 0.994_874_893, 262.630_008_916, 11.432_848_502),
        (SLOWER, 0.888_777_598, 290.037_499_418, 11.957_893_509),
        (LEFT, 0.846_752_158, 315.204_650_543, 8.594_302_027),
    ];
    for (action, reward, x, y) in expected {
        let found = game.step(&[action]);
        // Rewards are single precision.
        assert!((found - reward).abs() < 1e-7, "{found}, expected {reward}");
        game.check(0, &[("x", x), ("y", y)], FINE);
    }
}

fn t9() -> Vec<Car> {
    let same = |x, speed, timer| {
        let mut car = car(x, 4.0, speed);
        (car.timer, car.lane_change_enabled) = (Some(timer), false);
        car
    };
    let oncoming = |x, speed, timer| {
        let lane = Some(("b".to_owned(), "a".to_owned(), 0));
        Car { y: 0.0, heading: PI, target_lane: lane, ..same(x, speed, timer) }
    };
    vec![
        learner(30.0, 4.0, 30.0),
        same(71.257_302, 23.735_790, 0.427_788),
        same(116.404_227, 24.209_800, 0.261_033),
        same(144.643_306, 24.723_190, 0.976_719),
        oncoming(586.96, 24.735_405, 0.989_223),
        oncoming(507.037_352, 13.672_893, 0.904_821),
    ]
}

fn t9_game() -> Game {
    Game::new(&Driving { scene: Scene::Fixed { vehicles: t9() }, ..Driving::task("two-way-v0") })
}

#[test]
fn t9_idling_on_the_two_way_road_crashes_in_step_four() {
    let mut game = t9_game();
    for step in 1..=4 {
        let reward = game.step(&[IDLE]);
        assert!((reward - 0.8).abs() < 1e-6);
        assert_eq!(game.crashed(0), step == 4);
        if step == 1 {
            game.check(1, &[("x", 92.915_461), ("speed", 19.861_259)], ROUGH);
            game.check(4, &[("x", 564.541_179), ("speed", 20.520_784)], ROUGH);
        }
    }
    assert_eq!(game.out.ends[0], End::Terminated);
    game.check(0, &[("x", 142.436_461), ("speed", 16.123_237)], ROUGH);
    game.check(1, &[("x", 147.436_461), ("speed", 9.078_336)], ROUGH);
}

#[test]
fn t9_overtaking_on_the_two_way_road_survives() {
    let mut game = t9_game();
    let script = [(LEFT, 1.0), (FASTER, 1.0), (IDLE, 1.0), (IDLE, 1.0), (RIGHT, 0.8), (IDLE, 0.8)];
    let mut total = 0.0;
    for (action, expected) in script {
        let reward = game.step(&[action]);
        assert!((reward - expected).abs() < 1e-6, "{reward}, expected {expected}");
        total += reward;
        assert!(!game.over());
    }
    assert!((total - 5.6).abs() < 1e-5);
    game.check(
        0,
        &[("x", 209.554_043), ("y", 3.966_437), ("heading", 0.003_967), ("speed", 30.0)],
        ROUGH,
    );
    game.check(5, &[("x", 426.241_718), ("speed", 13.534_637)], ROUGH);
}

#[test]
fn t10_idling_at_the_merge_crashes_in_step_four() {
    let mut merging = car(110.0, 14.5, 20.0);
    merging.target_speed = Some(30.0);
    let vehicles = vec![
        learner(30.0, 4.0, 30.0),
        car(87.697_867, 4.0, 28.081_947),
        car(65.165_276, 4.0, 31.626_540),
        car(6.066_358, 4.0, 31.958_993),
        merging,
    ];
    let config = Driving { scene: Scene::Fixed { vehicles }, ..Driving::task("merge-v0") };
    let mut game = Game::new(&config);
    for (step, expected) in [1.0, 1.0, 1.0, 0.347_192_977].into_iter().enumerate() {
        let reward = game.step(&[IDLE]);
        assert!((reward - expected).abs() < 1e-5, "{reward}, expected {expected}");
        if step == 0 {
            game.check(3, &[("x", 35.040_503), ("y", 1.545_447), ("speed", 25.958_993)], ROUGH);
        }
    }
    assert!(game.crashed(0));
    game.check(0, &[("x", 146.333_689), ("speed", 21.247_368)], ROUGH);
    game.check(2, &[("x", 151.333_689), ("speed", 10.808_985)], ROUGH);
    game.check(4, &[("x", 189.840_213), ("y", 11.280_348)], ROUGH);
}

#[test]
fn facts_34_and_35_rewards_of_standing_still_in_the_reward() {
    let reward = |task: &str, vehicle: Car, action: u16| {
        let scene = Scene::Fixed { vehicles: vec![vehicle] };
        Game::new(&Driving { scene, ..Driving::task(task) }).step(&[action])
    };
    for (task, vehicle, expected) in [
        ("highway-v0", learner(200.0, 8.0, 25.0), 0.844_444_444),
        ("highway-v0", learner(200.0, 4.0, 25.0), 0.822_222_222),
        ("highway-v0", learner(200.0, 12.0, 30.0), 1.0),
        ("roundabout-v0", Car { heading: -PI / 2.0, ..learner(2.0, 100.0, 8.0) }, 0.916_666_667),
        ("two-way-v0", learner(30.0, 4.0, 30.0), 0.8),
        ("two-way-v0", learner(30.0, 0.0, 30.0), 1.0),
    ] {
        let found = reward(task, vehicle, IDLE);
        assert!((found - expected).abs() < 1e-6, "{task}: {found}, expected {expected}");
    }
}

#[test]
fn fact_39_lanes_of_the_merge_are_limited_to_twenty() {
    let vehicles = vec![car(30.0, 0.0, 28.0), bystander()];
    let config = Driving {
        scene: Scene::Fixed { vehicles },
        actions: Some(standing()),
        ..Driving::task("merge-v0")
    };
    let mut game = Game::new(&config);
    game.idle(0, 8);
    let speed = game.vehicle(0, "speed");
    assert!((20.0..21.0).contains(&speed), "{speed}");
}

#[test]
fn fact_41_the_egos_own_row() {
    let game = Game::new(&frames(highway(4), vec![learner(180.762_532_921, 4.0, 25.0)]));
    let expected = [1.0, 0.903_812_65, 0.25, 0.3125, 0.0];
    for (found, expected) in game.out.observations[..5].iter().zip(expected) {
        assert!((found - expected).abs() < 1e-7, "{found}, expected {expected}");
    }
    assert!(game.out.observations[5..].iter().all(|&value| value.abs() < 1e-9));
}

#[test]
fn every_learner_has_its_own_view_reward_and_role() {
    let low = Reward { high_speed: Some(0.1), ..Reward::default() };
    let config = Driving {
        learners: Some(3),
        rewards: BTreeMap::from([("oncoming".to_owned(), low)]),
        observation: Some(Look::Kinematics(Kinematics::default())),
        ..Driving::task("two-way-v0")
    };
    let spec = config.spec().unwrap();
    assert_eq!(spec.roles, ["overtaker", "oncoming", "oncoming"]);
    let mut game = Game::new(&config);
    let state = game.state();
    let seats: Vec<(f64, f64)> = state["vehicles"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|vehicle| !vehicle["learner"].is_null())
        .map(|vehicle| (vehicle["x"].as_f64().unwrap(), vehicle["heading"].as_f64().unwrap()))
        .collect();
    assert_eq!(seats.len(), 3);
    // Row 0 of each view is the learner's own vehicle.
    for (learner, &(x, heading)) in seats.iter().enumerate() {
        let own = &game.out.observations[learner * 25..learner * 25 + 5];
        assert!((f64::from(own[1]) - (x / 200.0).min(1.0)).abs() < 1e-6);
        assert_eq!(own[3] < 0.0, heading > 1.0, "oncoming vehicles drive towards smaller x");
    }
    game.step(&[IDLE, SLOWER, SLOWER]);
    assert_ne!(game.out.rewards[0].to_bits(), game.out.rewards[1].to_bits());
    let config = Driving { learners: Some(2), ..Driving::task("merge-v0") };
    assert_eq!(config.spec().unwrap().roles, ["ego", "merger"]);
    let mut game = Game::new(&config);
    assert_eq!(game.state()["vehicles"][4]["learner"], 1);
}

#[test]
fn crashes_are_counted_for_each_learner() {
    let vehicles = vec![learner(0.0, 0.0, 25.0), constant(30.0, 0.0, 0.0), learner(0.0, 8.0, 25.0)];
    let config = Driving {
        scene: Scene::Fixed { vehicles },
        roles: vec!["reckless".to_owned(), "other".to_owned()],
        ..Driving::task("highway-v0")
    };
    let mut game = Game::new(&config);
    assert_eq!(config.spec().unwrap().tallies, ["crashed reckless", "crashed other"]);
    let mut episodes = 0;
    for _ in 0..6 {
        game.step(&[IDLE, IDLE]);
        if game.out.ends[0].is_over() {
            episodes += 1;
            assert_eq!(game.out.tallies, [1.0, 0.0]);
        }
    }
    assert!(episodes >= 2);
    let twins = Driving { learners: Some(3), ..Driving::task("highway-v0") };
    let names = ["crashed ego 0", "crashed ego 1", "crashed ego 2"];
    assert_eq!(twins.spec().unwrap().tallies, names);
}

#[test]
fn a_vehicle_off_every_road_ends_its_instance_and_no_other() {
    let lost = Car { heading: PI, ..learner(-999.5, 0.0, 30.0) };
    let mut game = Game::new(&frames(highway(2), vec![lost, car(100.0, 0.0, 25.0)]));
    // It would turn back towards the road, but it has gone too far before that.
    game.step(&[IDLE]);
    assert_eq!(game.out.ends[0], End::Truncated);
    assert_eq!(game.out.rewards, [0.0]);
    let why = game.state()["quarantined"].as_str().unwrap().to_owned();
    assert_eq!(why, "vehicle 0 is more than 1000 m from every lane");
    assert!(game.out.observations.iter().chain(&game.out.last_observations).all(|v| v.is_finite()));
    // The next episode has begun from the scene.
    assert_eq!(game.env.describe(0).unwrap()["vehicles"][0]["x"], -999.5);
}

#[test]
fn random_scenes_begin_without_contact_and_differ() {
    for name in [
        "highway-v0",
        "highway-fast-v0",
        "two-way-v0",
        "merge-v0",
        "roundabout-v0",
        "intersection-v0",
        "exit-v0",
        "u-turn-v0",
        "racetrack-v0",
    ] {
        let config = Driving::task(name);
        let (mut first, mut touching) = (Vec::new(), 0);
        for seed in 0..20 {
            let mut game = Game::seeded(&config, seed);
            let state = game.state();
            let vehicles = state["vehicles"].as_array().unwrap();
            let place = |index: usize, field: &str| vehicles[index][field].as_f64().unwrap();
            for one in 0..vehicles.len() {
                for two in one + 1..vehicles.len() {
                    let (dx, dy) =
                        (place(one, "x") - place(two, "x"), place(one, "y") - place(two, "y"));
                    // Two vehicles are 5 by 2 m.
                    touching += usize::from(dx.abs() < 2.0 && dy.abs() < 2.0);
                }
            }
            let sum: f64 = (0..vehicles.len()).map(|index| place(index, "x")).sum();
            first.push(sum.to_bits());
        }
        first.sort_unstable();
        first.dedup();
        assert!(first.len() > 10, "{name}: {} different scenes of 20", first.len());
        assert!(touching <= 1, "{name}: {touching} vehicles overlap");
    }
}

#[test]
fn highway_scenes_follow_the_references_law() {
    // Spacing behind the vehicle ahead: (12 + v) exp(-5/40 lanes) U(0.9, 1.1), twice that before the learner.
    let mut ratios = Vec::new();
    for seed in 0..40 {
        let mut game = Game::seeded(&Driving::task("highway-v0"), seed);
        let state = game.state();
        let vehicles = state["vehicles"].as_array().unwrap();
        assert_eq!(vehicles.len(), 51);
        for pair in vehicles.windows(2) {
            let number = |vehicle: &Value, field: &str| vehicle[field].as_f64().unwrap();
            let speed = number(&pair[1], "speed");
            assert!((21.0..24.0).contains(&speed), "{speed}");
            let gap = number(&pair[1], "x") - number(&pair[0], "x");
            ratios.push(gap / ((12.0 + speed) * (-0.5_f64).exp()));
        }
    }
    assert!(ratios.iter().all(|ratio| (0.9..=1.1).contains(ratio)));
    let mean = ratios.iter().sum::<f64>() / ratios.len() as f64;
    // Standard deviation of the mean of 2000 uniform numbers: 0.0013.
    assert!((mean - 1.0).abs() < 0.006, "{mean}");
}

#[test]
fn continuous_control_moves_as_the_bicycle_does() {
    let mut ego = learner(0.0, 0.0, 20.0);
    ego.heading = 0.1;
    for (dynamical, y) in [(false, 4.470_160_760), (true, 3.214_257_752)] {
        let wheel = WheelActions { dynamical, ..WheelActions::default() };
        let config = Driving {
            actions: Some(Action::Continuous(wheel)),
            ..frames(highway(4), vec![ego.clone()])
        };
        let mut game = Game::new(&config);
        // 1 m/s^2 of 5, 0.05 rad of pi/4.
        let action = [0.2_f32, (0.05 / (PI / 4.0)) as f32];
        for _ in 0..15 {
            game.env.step(Actions::Continuous(&action), game.out.outbox()).unwrap();
        }
        // Actions are single precision.
        game.check(0, &[("y", y), ("speed", 21.0)], 1e-6);
    }
}

#[test]
fn the_other_observations_show_what_is_there() {
    let scene = || vec![learner(100.0, 4.0, 25.0), constant(112.0, 4.0, 20.0)];
    let look = |look: Look| {
        Game::new(&Driving { observation: Some(look), ..frames(highway(3), scene()) })
            .out
            .observations
    };
    let grid = look(Look::OccupancyGrid(Grid::default()));
    assert_eq!(grid.len(), 4 * 11 * 11);
    let cell = |layer: usize, column: usize, row: usize| grid[layer * 121 + column * 11 + row];
    // The ego is in the middle; 12 m ahead is two cells of 5 m and a half.
    assert_eq!((cell(0, 5, 5), cell(0, 7, 5)), (1.0, 1.0));
    assert_eq!(grid[..121].iter().sum::<f32>(), 2.0);
    assert_eq!(cell(1, 7, 5), -5.0 / 80.0);
    // Road: three lanes 4 m apart, from 4 m to the left to 4 m to the right.
    assert_eq!((cell(3, 5, 4), cell(3, 5, 5), cell(3, 5, 6), cell(3, 5, 8)), (1.0, 1.0, 1.0, 0.0));
    let rays = look(Look::Lidar(Lidar::default()));
    // Ray 0 looks ahead: the rear bumper is at 9.5 m, its speed 5 m/s less.
    assert!((rays[0] - 9.5 / 60.0).abs() < 1e-6 && (rays[1] + 5.0 / 60.0).abs() < 1e-6, "{rays:?}");
    assert_eq!(rays[16], 1.0);
    let ranges = BTreeMap::from([(Feature::Heading, (-PI, PI))]);
    let features = vec![Feature::Heading, Feature::LatOff, Feature::LongOff, Feature::CosH];
    let rows = look(Look::Kinematics(Kinematics {
        features,
        ranges,
        vehicles: 2,
        ..Kinematics::default()
    }));
    assert_eq!(rows, [0.0, 0.0, 100.0, 1.0, 0.0, 0.0, 112.0, 1.0]);
}

#[test]
fn problems_are_named_all_at_once() {
    let mut config = Driving {
        reward: Reward {
            rule: Some(Rule::Merge),
            speed_range: Some((30.0, 20.0)),
            ..Reward::default()
        },
        actions: Some(Action::Meta(MetaActions {
            target_speeds: vec![],
            ..MetaActions::default()
        })),
        ..Driving::task("merge-v0")
    };
    let error = config.spec().unwrap_err().to_string();
    assert!(error.contains("`actions.target_speeds`"), "{error}");
    config.actions = None;
    config.roles = vec!["a".to_owned(), "b".to_owned()];
    let error = config.spec().unwrap_err().to_string();
    assert!(error.contains("`reward.speed_range`") && error.contains("`roles` has 2"), "{error}");
    for (config, why) in [
        (Driving::task("highway-v9"), "no driving task"),
        (Driving { learners: Some(9), ..Driving::task("merge-v0") }, "takes 1 to 5"),
        (
            Driving {
                scene: Scene::Fixed { vehicles: vec![car(0.0, 0.0, 1.0)] },
                ..Driving::task("merge-v0")
            },
            "nobody learns",
        ),
        (
            Driving {
                scene: Scene::Fixed {
                    vehicles: vec![Car {
                        target_lane: Some(("a".to_owned(), "z".to_owned(), 0)),
                        ..learner(0.0, 0.0, 1.0)
                    }],
                },
                ..Driving::task("merge-v0")
            },
            "the road has no lane (\"a\", \"z\", 0)",
        ),
        (Driving { policy_frequency: Some(60), ..Driving::task("merge-v0") }, "frames a step"),
        (Driving { duration: Some(-1.0), ..Driving::task("merge-v0") }, "`duration`"),
        (
            Driving { scene: Scene::Recorded("x.jsonl".to_owned()), ..Driving::default() },
            "was not read",
        ),
        (Driving::recorded("{}"), "missing field"),
        (
            Driving {
                population: Population { density: Some(0.0), ..Population::default() },
                ..Driving::task("highway-v0")
            },
            "`population.density`",
        ),
    ] {
        let error = config.spec().unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
}
