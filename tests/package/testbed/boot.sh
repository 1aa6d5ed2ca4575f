# Boots the Debian whose layers are $1, upper:lower, with changes kept in $2, in the control group $3. It all ends with it.
#
# systemd wants one hierarchy of control groups (version 2) at its usual place, which the host need not have; and a
# list of them that begins at its own. Hence the namespaces, of which systemd-nspawn then makes more.
set -eu

echo $$ >"$3/cgroup.procs"
exec unshare --mount --cgroup --pid --fork --mount-proc sh -eu -c '
mount --make-rprivate /
mount -t cgroup2 none /sys/fs/cgroup
mount -t tmpfs none /run
mkdir -p "$2/changes" "$2/work" "$2/root"
mount -t overlay none -o "lowerdir=$1,upperdir=$2/changes,workdir=$2/work" "$2/root"
exec systemd-nspawn --quiet --boot --directory="$2/root" --bind-ro="$2/shared:/mnt" --machine=outstation \
	--register=no --keep-unit --private-network --link-journal=no --console=pipe \
	--capability=all --system-call-filter=bpf --resolv-conf=off --timezone=off
' boot "$1" "$2"
