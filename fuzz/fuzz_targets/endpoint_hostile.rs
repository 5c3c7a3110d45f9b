#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| websocket_proto_fuzz::endpoint_hostile(bytes));
