#!/bin/bash
# Runs as a unit inside the booted systemd; prints NAME=VALUE lines that the proof judges.
unit=partitad@n1.service
show() { systemctl show -P "$2" "$1"; }
ms() { date +%s%3N; }
partita() { /usr/bin/node /usr/lib/partita/bin/partita.cjs "$@"; }

echo boot=ok
begin=$(ms)
systemctl start "$unit"; echo "start_exit=$?"
echo "start_ms=$(($(ms) - begin))"
echo "active=$(show $unit ActiveState)"
if [ "$(show $unit ActiveState)" != active ]; then
  journalctl -u $unit -o cat --no-pager | tail -n 20 >&2
  exit 1
fi
echo "status=$(show $unit StatusText)"
first=$(show $unit MainPID)
echo "user=$(stat -c %U "/proc/$first" 2>/dev/null)"
echo "capabilities=$(awk '/^CapEff/ {print $2}' "/proc/$first/status")"
rm -f /etc/partita/n1.env # --init is for the first start only
printf 'kept' | partita put prove-key > /dev/null; echo "put_exit=$?"

# A loop that does not turn any more: systemd must notice, end it and start it again.
begin=$(ms)
kill -STOP "$first"
for _ in $(seq 300); do
  second=$(show $unit MainPID)
  [ "$second" != 0 ] && [ "$second" != "$first" ] && [ "$(show $unit ActiveState)" = active ] && break
  sleep 0.1
done
echo "watchdog_ms=$(($(ms) - begin))"
echo "restarts=$(show $unit NRestarts)"
echo "restarted=$(show $unit ActiveState)"
[ "$(show $unit ActiveState)" = active ] || journalctl -u $unit -o cat --no-pager | tail -n 20 >&2
echo "got=$(partita get prove-key)"

# The nightly archive, now; and the timer that would start it.
mkdir -p -m 700 /var/backups/partita
archive=partita-archive@n1
systemctl start $archive.service; echo "archive_exit=$?"
echo "archive_result=$(show $archive.service Result)"
[ "$(show $archive.service Result)" = success ] || journalctl -u $archive.service -o cat --no-pager | tail -n 20 >&2
echo "archive_modes=$(find /var/backups/partita -type f -exec stat -c %a {} + | sort -u | tr '\n' ' ')"
echo "archived=$(partita archive verify /var/backups/partita)"
systemctl enable --quiet --now $archive.timer; echo "timer_exit=$?"
echo "timer_next=$(show $archive.timer NextElapseUSecRealtime)"

begin=$(ms)
systemctl reload "$unit"; echo "reload_exit=$?"
systemctl stop "$unit"; echo "stop_exit=$?"
echo "stop_ms=$(($(ms) - begin))"
echo "stopped=$(show $unit ActiveState)"
echo "result=$(show $unit Result)"
echo "exit_status=$(show $unit ExecMainStatus)"

# The journal got our severities, and the drain was one.
journalctl --sync
echo "ready_priority=$(journalctl -u $unit -o json --no-pager | grep '"ready' | grep -o '"PRIORITY":"[0-9]"' | sort -u | tr -d '\n')"
echo "drained=$(journalctl -u $unit -o cat --no-pager | grep -c '"event":"stopped"')"
echo "data_owner_private=$(test -d /var/lib/private/partita/n1 && echo yes)"
echo "data_mode=$(stat -c %a /var/lib/private/partita/n1)"

# A wrong configuration is refused once, not for ever.
systemctl start partitad@bad.service 2>/dev/null; echo "bad_exit=$?"
sleep 3
echo "bad_restarts=$(show partitad@bad.service NRestarts)"
echo "bad_active=$(show partitad@bad.service ActiveState)"
echo "bad_says=$(journalctl -u partitad@bad.service -o cat --no-pager | grep -c 'Unknown setting lisen; did you mean')"
