//! The tool server, used from outside its sandbox as the agent uses it.
