#!/bin/sh
# The first domain of a Xen hypervisor, as small as it can be: busybox starts Xen's own daemons and the agent, and nothing else.
set -eu

: > /etc/fstab
printf '127.0.0.1 localhost\n::1 localhost\n' > /etc/hosts
ln -sf /bin/busybox /sbin/init

# No udev is there to make the files of volumes: LVM does it itself.
cat > /etc/lvm/lvmlocal.conf <<'END'
activation { udev_sync = 0 udev_rules = 0 }
devices { obtain_device_list_from_udev = 0 }
END

cat > /etc/inittab <<'END'
::sysinit:/sbin/lab-start
::respawn:/usr/sbin/qemu-ga --method=virtio-serial --path=/dev/virtio-ports/org.qemu.guest_agent.0
::ctrlaltdel:/bin/busybox poweroff -f
END

cat > /sbin/lab-start <<'END'
#!/bin/sh
# Said on the console as it is done, so that a start that fails says where.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
set -ex
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mkdir -p /dev/pts /dev/shm
mount -t devpts -o gid=5,mode=620 devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs tmpfs /tmp
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir -p /run/lock /run/xen /run/xenstored /var/log/xen /var/lib/xen /dev/virtio-ports
hostname lab-xen
ip link set lo up
modprobe -a xenfs xen-evtchn xen-gntdev xen-gntalloc xen-netback xen-blkback bridge tun loop dm-mod
mount -t xenfs xenfs /proc/xen
# Nobody is there to give the agent's port its name.
for port in /sys/class/virtio-ports/*; do
    ln -sf "/dev/${port##*/}" "/dev/virtio-ports/$(cat "$port/name")"
done
# The project, and the home with its template.
mkdir -p /media/project
mount -t ext4 /dev/vdb /media/project
mkdir -p /opt/wirt /var/lib/wirt
mount -o bind /media/project/wirt /opt/wirt
mount -o bind /media/project/home /var/lib/wirt
/etc/init.d/xen start
xl list
touch /run/lab-started
END
chmod 755 /sbin/lab-start
