# What every stock kernel does first, in a few bytes: from 32-bit protected mode to 64-bit mode with paging, then work.
# The bytes of this program are in probe.py; a test assembles it and compares.
#
# A processor's virtualization runs it in some 0.05 s. A paravirtual KVM, which has only guests that know of it, emulates
# what other guests do in the kernel instruction by instruction: the loop below then takes minutes.
#
#   as --32 probe.S -o probe.o && ld -m elf_i386 -Ttext 0 --oformat binary -e start probe.o -o probe.bin

        .set LOAD, 0x100000             # where the multiboot header asks to be put
        .code32
        .text
base:   .long 0x1BADB002, 0x00010000, -(0x1BADB002 + 0x00010000)
        .long LOAD, LOAD, 0, 0, LOAD + start - base
        .globl start
start:  cli
        mov $'P', %al                   # "P": protected mode
        out %al, $0xe9
        movl $0x11003, 0x10000          # one page of 2 MiB, mapped to itself
        movl $0x12003, 0x11000
        movl $0x00083, 0x12000
        mov $0x10000, %eax
        mov %eax, %cr3
        mov %cr4, %eax
        or $0x20, %eax                  # PAE
        mov %eax, %cr4
        mov $0xc0000080, %ecx           # EFER.LME
        rdmsr
        or $0x100, %eax
        wrmsr
        mov %cr0, %eax
        or $0x80000001, %eax            # PG, PE
        mov %eax, %cr0
        lgdt LOAD + table - base
        ljmp $8, $(LOAD + long - base)
        .code64
long:   mov $'L', %al                   # "L": long mode
        out %al, $0xe9
        mov $0x4000000, %ecx
count:  dec %ecx
        jnz count
        mov $'E', %al                   # "E": the end of 67 million rounds
        out %al, $0xe9
        mov $0x10, %al                  # the exit device: QEMU ends with status 0x21
        out %al, $0xf4
stay:   hlt
        jmp stay
gdt:    .quad 0, 0x00af9a000000ffff
table:  .word 15
        .long LOAD + gdt - base
