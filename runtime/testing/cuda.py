"""What tests ask about CUDA devices."""

from runtime.cuda import is_available

TEST_CUDA = is_available()
SM80OrLater = False
SM90OrLater = False
