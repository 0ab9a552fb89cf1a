"""An asyncio block layer with the semantics of QEMU's blkdebug."""
