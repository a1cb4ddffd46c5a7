//! Learning from groups of lanes that began in the same state, and refusing others.
#![cfg(feature = "torch")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[allow(dead_code, unreachable_pub, reason = "shared with other tests")]
mod common;

use common::Session;
use gambol_agents::learner::LearnError;
use gambol_agents::torch::Gigpo;
use gambol_envs::key_door::KeyDoor;

const LANES: usize = 8;
const GROUP: usize = 4;

fn session() -> Session {
    let config = KeyDoor { rooms: 2, room: (2, 3), ..KeyDoor::default() };
    Session::of(&Gigpo { group: GROUP, ..Gigpo::default() }, &config, 3, LANES)
}

/// Copies the first lane of every group into the others, as a driver does.
fn group(session: &mut Session) {
    for first in (0..LANES).step_by(GROUP) {
        let saved = session.env.save(first).unwrap();
        for lane in first + 1..first + GROUP {
            session.env.restore(lane, &saved).unwrap();
        }
    }
    session.env.observe(session.rollout.first()).unwrap();
}

fn refused(session: &mut Session) {
    let before = session.learner.parameters().unwrap();
    let Err(LearnError::Other(why)) = session.advance() else { panic!("it was learned from") };
    assert!(why.contains("groups of 4"), "{why}");
    assert_eq!(session.learner.parameters().unwrap(), before);
}

#[test]
fn lanes_that_began_in_one_state_are_learned_from() {
    let mut session = session();
    assert_eq!(session.learner.group(), GROUP);
    group(&mut session);
    let before = session.learner.parameters().unwrap();
    session.advance().unwrap();
    assert_ne!(session.learner.parameters().unwrap(), before);
}

/// A driver that knows nothing of groups must not pass for one that makes them.
#[test]
fn lanes_that_began_in_different_states_are_no_group() {
    refused(&mut session());
}

#[test]
fn a_rollout_that_begins_in_the_middle_of_episodes_is_no_group() {
    let mut session = session();
    group(&mut session);
    session.rollout.started[LANES - 1] = false;
    refused(&mut session);
}
