# The pause process, amd64: waits for signals, reaps children (it is PID 1 of a shared process namespace), ends on SIGINT and SIGTERM.
# No libc: the whole program is what stands here. Blocked signals are queued even for PID 1, whose default dispositions would drop them.
.globl _start
_start:
  mov $14, %eax               # rt_sigprocmask(SIG_BLOCK, set, NULL, 8)
  xor %edi, %edi
  lea set(%rip), %rsi
  xor %edx, %edx
  mov $8, %r10d
  syscall
next:
  mov $128, %eax              # rt_sigtimedwait(set, NULL, NULL, 8)
  lea set(%rip), %rdi
  xor %esi, %esi
  xor %edx, %edx
  mov $8, %r10d
  syscall
  cmp $17, %eax               # SIGCHLD
  je reap
  cmp $2, %eax                # SIGINT
  je leave
  cmp $15, %eax               # SIGTERM
  jne next
leave:
  mov $231, %eax              # exit_group(0)
  xor %edi, %edi
  syscall
reap:
  mov $61, %eax               # wait4(-1, NULL, WNOHANG, NULL)
  mov $-1, %rdi
  xor %esi, %esi
  mov $1, %edx
  xor %r10d, %r10d
  syscall
  test %eax, %eax
  jg reap
  jmp next
  .balign 8
set:
  .quad (1 << 1) | (1 << 14) | (1 << 16)
