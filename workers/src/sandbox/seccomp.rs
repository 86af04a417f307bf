//! The system calls that a build does not need, denied to everything inside: a filter that the kernel asks before each
//! call. It denies by name and lets the rest pass, so that toolchains go on; it is the third wall, behind namespaces
//! and the lack of privileges, and must never be the only one.

use std::collections::BTreeMap;

use nix::libc;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Len, SeccompCmpOp as Op, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter,
};

/// Why the filter does not stand.
#[derive(Debug, thiserror::Error)]
pub(super) enum FilterError {
    /// Neither x86_64 nor aarch64.
    #[error("system calls cannot be filtered on `{0}`")]
    Architecture(&'static str),
    /// The filter could not be built or installed.
    #[error("filtering system calls: {0}")]
    Filter(String),
}

/// Denied for everybody without the right privileges, which nobody here has: `EPERM`.
const FORBIDDEN: &[(&str, i64)] = &[
    ("mount", libc::SYS_mount),
    ("umount2", libc::SYS_umount2),
    ("pivot_root", libc::SYS_pivot_root),
    ("chroot", libc::SYS_chroot),
    ("move_mount", libc::SYS_move_mount),
    ("open_tree", libc::SYS_open_tree),
    ("fsopen", libc::SYS_fsopen),
    ("fsconfig", libc::SYS_fsconfig),
    ("fsmount", libc::SYS_fsmount),
    ("fspick", libc::SYS_fspick),
    ("mount_setattr", libc::SYS_mount_setattr),
    ("unshare", libc::SYS_unshare),
    ("setns", libc::SYS_setns),
    ("ptrace", libc::SYS_ptrace),
    ("process_vm_readv", libc::SYS_process_vm_readv),
    ("process_vm_writev", libc::SYS_process_vm_writev),
    ("pidfd_getfd", libc::SYS_pidfd_getfd),
    ("kcmp", libc::SYS_kcmp),
    ("bpf", libc::SYS_bpf),
    ("perf_event_open", libc::SYS_perf_event_open),
    ("userfaultfd", libc::SYS_userfaultfd),
    ("add_key", libc::SYS_add_key),
    ("request_key", libc::SYS_request_key),
    ("keyctl", libc::SYS_keyctl),
    ("open_by_handle_at", libc::SYS_open_by_handle_at),
    ("kexec_load", libc::SYS_kexec_load),
    ("kexec_file_load", libc::SYS_kexec_file_load),
    ("init_module", libc::SYS_init_module),
    ("finit_module", libc::SYS_finit_module),
    ("delete_module", libc::SYS_delete_module),
    ("reboot", libc::SYS_reboot),
    ("swapon", libc::SYS_swapon),
    ("swapoff", libc::SYS_swapoff),
    ("acct", libc::SYS_acct),
    ("quotactl", libc::SYS_quotactl),
    ("quotactl_fd", libc::SYS_quotactl_fd),
    ("syslog", libc::SYS_syslog),
    ("vhangup", libc::SYS_vhangup),
    ("settimeofday", libc::SYS_settimeofday),
    ("clock_settime", libc::SYS_clock_settime),
    ("adjtimex", libc::SYS_adjtimex),
    ("clock_adjtime", libc::SYS_clock_adjtime),
    ("sethostname", libc::SYS_sethostname),
    ("setdomainname", libc::SYS_setdomainname),
    ("fanotify_init", libc::SYS_fanotify_init),
    ("move_pages", libc::SYS_move_pages),
    ("migrate_pages", libc::SYS_migrate_pages),
    ("nfsservctl", libc::SYS_nfsservctl),
    #[cfg(target_arch = "x86_64")]
    ("iopl", libc::SYS_iopl),
    #[cfg(target_arch = "x86_64")]
    ("ioperm", libc::SYS_ioperm),
    #[cfg(target_arch = "x86_64")]
    ("modify_ldt", libc::SYS_modify_ldt),
];

/// Answered as by a kernel that does not have them, so that programs take the older way: `ENOSYS`. The flags of
/// `clone3` lie in memory, where no filter can read them; every C library falls back to `clone`.
const MISSING: &[(&str, i64)] = &[
    ("clone3", libc::SYS_clone3),
    ("io_uring_setup", libc::SYS_io_uring_setup),
    ("io_uring_enter", libc::SYS_io_uring_enter),
    ("io_uring_register", libc::SYS_io_uring_register),
    ("memfd_secret", libc::SYS_memfd_secret),
];

/// Flags of `clone` that make a namespace.
const NAMESPACES: &[libc::c_int] = &[
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
];

/// Requests of `ioctl` that type into somebody's terminal: `TIOCSTI` and `TIOCLINUX`, on both architectures.
const TYPING: &[u64] = &[0x5412, 0x541c];

/// The families that sockets may have. Others reach the machine past the network's namespace (`AF_VSOCK`) or open old
/// corners of the kernel.
const FAMILIES: &[libc::c_int] = &[libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];

/// What is denied, by name, for a person to read.
pub(super) fn denied() -> Vec<String> {
    let by_number = FORBIDDEN
        .iter()
        .chain(MISSING)
        .map(|(name, _)| (*name).to_owned());
    by_number
        .chain(
            [
                "clone: new namespaces",
                "ioctl: TIOCSTI, TIOCLINUX",
                "socket: all but unix, inet, inet6, netlink",
            ]
            .map(str::to_owned),
        )
        .collect()
}

/// Puts the filter on this process and all that come from it, for ever.
pub(super) fn install() -> Result<(), FilterError> {
    for program in programs()? {
        apply_filter(&program).map_err(|error| FilterError::Filter(error.to_string()))?;
    }
    Ok(())
}

fn architecture() -> Result<TargetArch, FilterError> {
    match std::env::consts::ARCH {
        "x86_64" => Ok(TargetArch::x86_64),
        "aarch64" => Ok(TargetArch::aarch64),
        other => Err(FilterError::Architecture(other)),
    }
}

/// One program for each answer; the kernel asks all and takes the strictest.
fn programs() -> Result<Vec<BpfProgram>, FilterError> {
    let arch = architecture()?;
    let bad = |error: seccompiler::BackendError| FilterError::Filter(error.to_string());
    let numbers = |list: &[(&str, i64)]| list.iter().map(|(_, number)| (*number, vec![])).collect();
    let mut forbidden: BTreeMap<i64, Vec<SeccompRule>> = numbers(FORBIDDEN);
    let spaces = NAMESPACES.iter().map(|flag| {
        let flag = u64::from(flag.cast_unsigned());
        rule(vec![(0, Op::MaskedEq(flag), flag)])
    });
    forbidden.insert(libc::SYS_clone, spaces.collect::<Result<_, _>>().map_err(bad)?);
    let typing = TYPING.iter().map(|request| rule(vec![(1, Op::Eq, *request)]));
    forbidden.insert(libc::SYS_ioctl, typing.collect::<Result<_, _>>().map_err(bad)?);
    let no_family = FAMILIES
        .iter()
        .map(|family| (0, Op::Ne, u64::from(family.cast_unsigned())))
        .collect::<Vec<_>>();
    let no_family = vec![rule(no_family).map_err(bad)?];
    let families = BTreeMap::from([
        (libc::SYS_socket, no_family.clone()),
        (libc::SYS_socketpair, no_family),
    ]);
    let answers = [
        (forbidden, libc::EPERM),
        (numbers(MISSING), libc::ENOSYS),
        (families, libc::EAFNOSUPPORT),
    ];
    let mut programs = answers
        .into_iter()
        .map(|(rules, errno)| {
            let deny = SeccompAction::Errno(errno.cast_unsigned());
            SeccompFilter::new(rules, SeccompAction::Allow, deny, arch)?.try_into()
        })
        .collect::<Result<Vec<BpfProgram>, _>>()
        .map_err(bad)?;
    #[cfg(target_arch = "x86_64")]
    programs.push(second_table());
    Ok(programs)
}

/// A rule whose conditions (argument, comparison, value) must all hold. The kernel reads these arguments as 32 bits.
fn rule(conditions: Vec<(u8, Op, u64)>) -> Result<SeccompRule, seccompiler::BackendError> {
    let conditions = conditions
        .into_iter()
        .map(|(argument, comparison, value)| SeccompCondition::new(argument, Len::Dword, comparison, value));
    SeccompRule::new(conditions.collect::<Result<_, _>>()?)
}

/// On x86_64 each call has a second number (the x32 table), which no list above names: none of those exists here.
#[cfg(target_arch = "x86_64")]
fn second_table() -> BpfProgram {
    const X32_BIT: u32 = 0x4000_0000;
    let step = |code: u32, jt: u8, jf: u8, k: u32| seccompiler::sock_filter {
        code: u16::try_from(code).unwrap_or(0),
        jt,
        jf,
        k,
    };
    vec![
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        step(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, 0, 1, X32_BIT),
        step(
            libc::BPF_RET | libc::BPF_K,
            0,
            0,
            libc::SECCOMP_RET_ERRNO | libc::ENOSYS.cast_unsigned(),
        ),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_is_one_that_the_kernel_takes() {
        for program in programs().unwrap() {
            assert!(program.len() < 4096, "{}", program.len());
        }
    }

    #[test]
    fn no_call_is_in_two_lists_or_twice_in_one() {
        let mut numbers: Vec<i64> = FORBIDDEN
            .iter()
            .chain(MISSING)
            .map(|(_, number)| *number)
            .chain([libc::SYS_clone, libc::SYS_ioctl, libc::SYS_socket])
            .collect();
        let count = numbers.len();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), count);
    }
}
