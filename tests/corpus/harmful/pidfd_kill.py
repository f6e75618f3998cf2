import os
import signal

fd = os.pidfd_open(os.getppid())
signal.pidfd_send_signal(fd, signal.SIGSTOP)
