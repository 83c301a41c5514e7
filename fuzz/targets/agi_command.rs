#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| strowger_fuzz_bodies::agi_command(input));
