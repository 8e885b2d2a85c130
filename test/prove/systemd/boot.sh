#!/bin/bash
# Boots a real systemd over a throw-away overlay of this host, runs inner.sh in it, and powers off.
#   unshare --mount --pid --fork --mount-proc bash boot.sh TREE WORK      TREE: the built tree; WORK: an empty directory
set -euo pipefail
tree=$1 work=$2
here=$(cd "$(dirname "$0")" && pwd)

mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$work"
mkdir "$work/upper" "$work/scratch" "$work/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$work/upper,workdir=$work/scratch" "$work/root"
root=$work/root
etc=$root/etc/systemd/system

mkdir -p "$root/usr/lib/partita" "$root/etc/partita" "$root/opt/prove" "$root/var/log/journal" "$etc/partitad@.service.d"
cp "$tree"/deploy/systemd/partitad@.service "$tree"/deploy/systemd/partita-archive@.* "$tree"/deploy/systemd/partita.target "$etc"
cp "$tree"/deploy/systemd/n1.toml "$root/etc/partita/n1.toml"
echo 'PARTITAD_FLAGS=--init' > "$root/etc/partita/n1.env"
printf 'dataDir = "/var/lib/partita/bad"\nlisen = "127.0.0.1:1"\n' > "$root/etc/partita/bad.toml"
cp "$here/inner.sh" "$root/opt/prove/inner.sh"
# Ten seconds of watchdog are right for a host and long for a test.
if [ -n "${WATCHDOG_SEC:-}" ]; then
  printf '[Service]\nWatchdogSec=%s\n' "$WATCHDOG_SEC" > "$etc/partitad@.service.d/prove.conf"
fi
# Where the optional unix-dgram was not built, notifications come from a child.
if [ "${NOTIFY_ACCESS:-main}" != main ]; then
  printf '[Service]\nNotifyAccess=%s\n' "$NOTIFY_ACCESS" > "$etc/partitad@.service.d/notify.conf"
fi

cat > "$etc/prove.service" <<T
[Unit]
Description=What is to be proved
After=basic.target
[Service]
Type=oneshot
ExecStart=/bin/bash /opt/prove/inner.sh
ExecStopPost=/bin/sh -c 'systemctl --no-block poweroff 2>/dev/null'
StandardOutput=file:/opt/prove/out.txt
StandardError=file:/opt/prove/err.txt
TimeoutStartSec=100
T
cat > "$etc/prove.target" <<T
[Unit]
Description=Boot, prove, power off
Requires=basic.target
After=basic.target
Wants=prove.service
T

# Nothing of the host's own services may run in here.
for unit in systemd-udevd.service systemd-udev-trigger.service systemd-udevd-control.socket systemd-udevd-kernel.socket \
  systemd-timesyncd.service systemd-resolved.service systemd-networkd.service systemd-modules-load.service \
  systemd-sysctl.service systemd-random-seed.service systemd-hwdb-update.service systemd-binfmt.service \
  systemd-pstore.service systemd-firstboot.service systemd-logind.service sys-kernel-debug.mount sys-kernel-tracing.mount \
  sys-fs-fuse-connections.mount dev-hugepages.mount dev-mqueue.mount proc-sys-fs-binfmt_misc.automount apt-daily.timer \
  apt-daily-upgrade.timer man-db.timer cron.service ssh.service redis-server.service; do
  ln -sf /dev/null "$etc/$unit"
done
: > "$root/etc/fstab"
echo uninitialized > "$root/etc/machine-id"

timeout --kill-after=5 "${BOOT_TIMEOUT:-75}" systemd-nspawn --quiet --register=no --keep-unit --private-network \
  --console=pipe --bind-ro="$tree:/usr/lib/partita" -D "$root" -b systemd.unit=prove.target < /dev/null > "$work/console.txt" 2>&1 || true
cat "$root/opt/prove/out.txt" 2>/dev/null || { echo "boot=failed"; tail -20 "$work/console.txt" >&2; }
cat "$root/opt/prove/err.txt" >&2 2>/dev/null || true
