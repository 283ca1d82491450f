"""The GPU DSL layer: devices that share work, batch operations, intercepted calls, batts over many samples."""
