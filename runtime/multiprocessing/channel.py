"""A connection over which tensors travel fast: the descriptors of their shared storages go along with the message.

`multiprocessing` hands descriptors over by a server thread in the sender, whom the receiver asks for each. Here they are in the socket when
the message is, and the sender may be gone before it is read. Data loaders talk to their workers over channels.
"""

import io
import os
import pickle
import socket
import threading
from functools import partial
from multiprocessing.reduction import ForkingPickler, recvfds, sendfds

from runtime import _core
from runtime._core import UntypedStorage
from runtime.multiprocessing import reductions
from runtime.multiprocessing.memory import share

__all__ = ["Channel"]

_FDS_AT_ONCE = 200  # the system's limit is 253


def _reduce_storage(fds, storage):
    """As `reductions.reduce_storage`, with an index into a list of descriptors instead of a descriptor."""
    if storage.device.type != "meta":
        share(storage)
        fd, _, path = _core._shared_memory(storage)
        if path is None:
            fds.append(fd)
            return _arrived_storage, (len(fds) - 1, storage.nbytes())
    return reductions.reduce_storage(storage)


_arriving = threading.local()


def _arrived_storage(index, nbytes):
    fd, _arriving.fds[index] = _arriving.fds[index], None
    return reductions.storage_over(fd, nbytes)


class Channel:
    """One end of a two-way connection; one thread may send while another receives.

    Parameters
    ----------
    connection : multiprocessing.connection.Connection
        An end of ``Pipe(duplex=True)``.
    """

    def __init__(self, connection):
        self.connection = connection

    def __getstate__(self):
        return {"connection": self.connection}

    def fileno(self):
        """The descriptor to wait for."""
        return self.connection.fileno()

    def poll(self, timeout):
        """Whether there is a message to receive, or arrives within a time."""
        return self.connection.poll(timeout)

    def close(self):
        """Close this end."""
        self.connection.close()

    def _socket(self):
        made = socket.socket(fileno=os.dup(self.connection.fileno()))
        made.setblocking(True)  # whatever the default is: the mode is the connection's too
        return made

    def send(self, message):
        """Send an object.

        Raises
        ------
        OSError
            If the other end is closed. Everything else that is raised comes from pickling, before anything is sent.
        """
        file, fds = io.BytesIO(), []
        file.write(bytes(4))
        pickler = ForkingPickler(file, pickle.HIGHEST_PROTOCOL)
        pickler.dispatch_table[UntypedStorage] = partial(_reduce_storage, fds)
        pickler.dump(message)
        buffer = file.getbuffer()
        buffer[:4] = len(fds).to_bytes(4, "little")
        self.connection.send_bytes(buffer)
        if fds:
            with self._socket() as ours:
                for start in range(0, len(fds), _FDS_AT_ONCE):
                    sendfds(ours, fds[start : start + _FDS_AT_ONCE])
        del pickler  # not before: its memo keeps the storages whose descriptors these are

    def receive(self):
        """Take the next message as it came; `unpack` makes the object of it."""
        data = self.connection.recv_bytes()
        count = int.from_bytes(data[:4], "little")
        fds = []
        if count:
            with self._socket() as ours:
                try:
                    while len(fds) < count:
                        fds += recvfds(ours, min(count - len(fds), _FDS_AT_ONCE))
                except RuntimeError:
                    _close(fds)
                    raise RuntimeError(
                        "Too many open files. Communication with the workers is no longer possible. Please increase the limit using "
                        "`ulimit -n` in the shell or change the sharing strategy by calling "
                        "`torch.multiprocessing.set_sharing_strategy('file_system')` at the beginning of your code"
                    ) from None
        return data, fds

    @staticmethod
    def unpack(message):
        """The object of a message from `receive`."""
        data, fds = message
        _arriving.fds = fds
        try:
            return pickle.loads(memoryview(data)[4:])
        finally:
            _arriving.fds = None
            _close(fds)

    def recv(self):
        """Receive an object."""
        return self.unpack(self.receive())


def _close(fds):
    for fd in fds:
        if fd is not None:
            os.close(fd)
