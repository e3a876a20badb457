-- Filling a million topics in one handler takes longer than a handler may.
return { handler_time = 60, log_level = "warn" }
