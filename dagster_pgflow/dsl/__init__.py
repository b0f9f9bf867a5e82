"""Routes in: every way to write a flow down ends in the one `Flow`."""
