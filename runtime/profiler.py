"""`torch.profiler`: the profiler of `runtime.autograd.profiler`, by steps and with schedules.

A schedule says for each step whether the profiler listens. Whenever it stops, `on_trace_ready` gets it, with the events since it began.
"""

import json
from enum import Enum

from runtime.autograd import profiler
from runtime.autograd.profiler import kineto_available as kineto_available
from runtime.autograd.profiler import record_function as record_function


class ProfilerActivity(Enum):
    """What a profiler may listen to; there is the CPU."""

    CPU = 0
    XPU = 1
    CUDA = 2
    HPU = 3
    MTIA = 4
    PrivateUse1 = 5


class ProfilerAction(Enum):
    """What a profiler does in a step."""

    NONE = 0
    WARMUP = 1
    RECORD = 2
    RECORD_AND_SAVE = 3
    DEVICE_STOPPED = 4


_RECORDING = (ProfilerAction.RECORD, ProfilerAction.RECORD_AND_SAVE)


def supported_activities():
    """What profilers here can listen to: a set with the CPU."""
    return {ProfilerActivity.CPU}


def schedule(*, wait, warmup, active, repeat=0, skip_first=0, skip_first_wait=0):
    """A function that says what a profiler does in each step: rounds of waiting, warming up and listening.

    Parameters
    ----------
    wait, warmup, active : int
        How many steps of a round the profiler waits, warms up and listens.
    repeat : int
        How many rounds there are; 0 for no end.
    skip_first : int
        How many steps come before the first round.
    skip_first_wait : int
        Not 0 for a first round without waiting.

    Returns
    -------
    callable
        From the number of a step to a `ProfilerAction`.

    Examples
    --------
    >>> from runtime.profiler import schedule
    >>> say = schedule(wait=1, warmup=1, active=2, repeat=1)
    >>> [say(step).name for step in range(5)]
    ['NONE', 'WARMUP', 'RECORD', 'RECORD_AND_SAVE', 'NONE']
    """
    if min(wait, warmup, repeat, skip_first, skip_first_wait) < 0 or active <= 0:
        raise AssertionError("Invalid profiler schedule arguments: counts must not be negative, and active must be positive")

    def action(step):
        if step < 0:
            raise AssertionError(f"Step must be non-negative. Got {step}.")
        step -= skip_first
        if step < 0:
            return ProfilerAction.NONE
        if skip_first_wait:
            step += wait
        length = wait + warmup + active
        if repeat and step // length >= repeat:
            return ProfilerAction.NONE
        at = step % length
        if at < wait:
            return ProfilerAction.NONE
        if at < wait + warmup:
            return ProfilerAction.WARMUP
        return ProfilerAction.RECORD_AND_SAVE if at == length - 1 else ProfilerAction.RECORD

    return action


class profile:
    """For a ``with`` block: see what runs in it, or in those of its steps that a schedule names.

    Parameters
    ----------
    activities : iterable of ProfilerActivity, optional
        What to listen to; others than the CPU have no events.
    schedule : callable, optional
        From the number of a step to a `ProfilerAction`; see `schedule`.
    on_trace_ready : callable, optional
        Gets the profiler whenever it stops listening.
    record_shapes : bool
        Whether events have the shapes of their arguments.
    acc_events : bool
        Whether events of earlier rounds are kept.
    **ignored
        Settings of PyTorch's profiler for memory, stacks and its own library, accepted for the sake of programs.

    Examples
    --------
    >>> import runtime as rt
    >>> from runtime.profiler import ProfilerActivity, profile
    >>> with profile(activities=[ProfilerActivity.CPU]) as seen:
    ...     x = rt.ones(2) * 2
    >>> "aten::mul" in [event.name for event in seen.events()]
    True
    """

    def __init__(self, *, activities=None, schedule=None, on_trace_ready=None, record_shapes=False, acc_events=False, **ignored):
        unknown = set(ignored) - _IGNORED
        if unknown:
            raise TypeError(f"profile() got unexpected keyword arguments {sorted(unknown)}")
        self.activities = supported_activities() if activities is None else set(activities)
        if not self.activities:
            raise AssertionError("No valid profiler activities found")
        self.schedule = schedule
        self.on_trace_ready = on_trace_ready
        self.record_shapes, self.acc_events = record_shapes, acc_events
        self.step_num = 0
        self.current_action = self._planned()
        self.profiler = None
        self._listening = False
        self._metadata = {}
        self._earlier = []

    def _planned(self):
        return ProfilerAction.RECORD if self.schedule is None else self.schedule(self.step_num)

    def _listen(self):
        if self.acc_events and self.profiler is not None:
            self._earlier += self.profiler.function_events
        self.profiler = profiler.profile(ProfilerActivity.CPU in self.activities, record_shapes=self.record_shapes)
        self.profiler.__enter__()
        self._listening = True

    def _pause(self):
        if self._listening:
            self._listening = False
            self.profiler.__exit__(None, None, None)
            if self.on_trace_ready is not None:
                self.on_trace_ready(self)

    def start(self):
        """Begin."""
        self.current_action = self._planned()
        if self.current_action in _RECORDING:
            self._listen()

    def stop(self):
        """End."""
        self._pause()
        self.current_action = ProfilerAction.NONE

    def step(self):
        """Say that the next step begins."""
        before = self.current_action
        self.step_num += 1
        self.current_action = self._planned()
        if before is ProfilerAction.RECORD_AND_SAVE or self.current_action not in _RECORDING:
            self._pause()
        if self.current_action in _RECORDING and not self._listening:
            self._listen()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exception):
        self.stop()
        return False

    # ---- results

    def _profiler(self):
        if self.profiler is None:
            raise AssertionError("Profiler must be initialized before getting its events: it has not listened to a step yet")
        return self.profiler

    def events(self):
        """The events since the profiler began to listen, in the order in which they began."""
        events = self._profiler().function_events
        return type(events)([*self._earlier, *events]) if self._earlier else events

    def key_averages(self, group_by_input_shape=False, group_by_stack_n=0, group_by_overload_name=False):
        """The events by name, with their times together; see the events' method of this name."""
        return self.events().key_averages(group_by_input_shape, group_by_stack_n, group_by_overload_name)

    def export_chrome_trace(self, path):
        """Write the events to a file that trace viewers of browsers show."""
        self._profiler().export_chrome_trace(path)
        if self._metadata:
            with open(path) as file:
                events = json.load(file)
            with open(path, "w") as file:
                json.dump({**self._metadata, **(events if isinstance(events, dict) else {"traceEvents": events})}, file)

    def add_metadata(self, key, value):
        """Note a text, which `export_chrome_trace` writes."""
        self._metadata[key] = value

    def add_metadata_json(self, key, value):
        """Note a value, given as JSON, which `export_chrome_trace` writes."""
        self._metadata[key] = json.loads(value)


_IGNORED = {
    "custom_trace_id_callback", "execution_trace_observer", "experimental_config", "post_processing_timeout_s", "profile_memory", "use_cuda",
    "with_flops", "with_modules", "with_stack",
}  # fmt: skip
