//! All tests of the program from outside, one file for what a user could name. They are one crate, so that the library and
//! its dependencies are linked once and not once a file.

mod support;

mod access;
mod agent;
mod asleep;
mod check_agent;
mod command_line;
mod deployment_files;
mod documents;
mod example_agent;
mod faults;
mod hostile;
mod http;
mod join;
mod languages;
mod late;
mod map;
mod memory;
mod owner;
mod owner_state;
mod parsing;
mod protocol_v2;
mod release;
mod secrets;
mod several;
mod shutdown;
mod smart_home;
mod smart_home_linking;
mod wake;
mod webhook;
