# Thread-local include and exclude sets, and the functions that read and write them. The guards are in guards.pxi.

cdef extern from *:
    """
    _Thread_local rt_tls rt_tls_state __attribute__((tls_model("initial-exec"))) = {
        /* Default-included: kernels that must run unless somebody says otherwise. */
        RT_FUNCTIONALITY_BIT(RT_KEY_BackendSelect) | RT_FUNCTIONALITY_BIT(RT_KEY_ADInplaceOrView),
        /* Default-excluded: autocast is off until its key is un-excluded. */
        RT_FUNCTIONALITY_BIT(RT_KEY_AutocastCPU) | RT_FUNCTIONALITY_BIT(RT_KEY_AutocastMTIA) |
        RT_FUNCTIONALITY_BIT(RT_KEY_AutocastMAIA) | RT_FUNCTIONALITY_BIT(RT_KEY_AutocastXPU) |
        RT_FUNCTIONALITY_BIT(RT_KEY_AutocastIPU) | RT_FUNCTIONALITY_BIT(RT_KEY_AutocastHPU) |
        RT_FUNCTIONALITY_BIT(RT_KEY_AutocastXLA) | RT_FUNCTIONALITY_BIT(RT_KEY_AutocastMPS) |
        RT_FUNCTIONALITY_BIT(RT_KEY_AutocastCUDA) | RT_FUNCTIONALITY_BIT(RT_KEY_AutocastPrivateUse1)
    };
    """


def _dispatch_tls_local_include_set():
    """This thread's include set."""
    return new_keyset(rt_tls_state.included)


def _dispatch_tls_local_exclude_set():
    """This thread's exclude set."""
    return new_keyset(rt_tls_state.excluded)


def _dispatch_tls_is_dispatch_key_included(key):
    """Whether a key is in this thread's include set."""
    cdef rt_keyset bits = rt_bits_of_key(key_value(key))
    return rt_tls_state.included & bits == bits


def _dispatch_tls_is_dispatch_key_excluded(key):
    """Whether a key is in this thread's exclude set."""
    cdef rt_keyset bits = rt_bits_of_key(key_value(key))
    return rt_tls_state.excluded & bits == bits


def _dispatch_tls_set_dispatch_key_included(key, bint desired):
    """Put a key into this thread's include set, or take it out."""
    cdef rt_keyset bits = rt_bits_of_key(key_value(key))
    if desired:
        rt_tls_state.included |= bits
    else:
        rt_tls_state.included &= ~bits


def _dispatch_tls_set_dispatch_key_excluded(key, bint desired):
    """Put a key into this thread's exclude set, or take it out."""
    cdef rt_keyset bits = rt_bits_of_key(key_value(key))
    if desired:
        rt_tls_state.excluded |= bits
    else:
        rt_tls_state.excluded &= ~bits
