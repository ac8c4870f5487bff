"""One socket's life: dial, subscribe, read, keep alive, watch for silence, reconnect."""
