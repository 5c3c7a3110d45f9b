//! Measures as on a processor without AVX-512 and without a fast `rep movsb`, on one that has them. The C library chooses its
//! functions before a process has control, and is asked by the environment instead: see `run`.

#[cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
pub use hiding::hide_avx512;

/// Not supported here.
///
/// # Errors
///
/// Always.
#[cfg(not(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu")))]
pub fn hide_avx512() -> std::io::Result<()> {
    Err(std::io::Error::other(
        "AVX-512 can only be hidden on x86-64 with Linux and glibc",
    ))
}

#[cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
mod hiding {
    use std::arch::x86_64::{__cpuid_count, CpuidResult};
    use std::ffi::{c_int, c_void};
    use std::{io, mem, ptr};

    /// Makes the instruction CPUID report neither AVX-512 nor a fast `rep movsb` to this thread from now on.
    ///
    /// # Errors
    ///
    /// The processor or the kernel does not support this, or the standard library has detected AVX-512 before.
    pub fn hide_avx512() -> io::Result<()> {
        let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) = answer_cpuid;
        // SAFETY: all zeros are a valid `sigaction`.
        let mut action: libc::sigaction = unsafe { mem::zeroed() };
        action.sa_sigaction = handler as *const () as libc::sighandler_t;
        action.sa_flags = libc::SA_SIGINFO;
        // SAFETY: the handler has the type for `SA_SIGINFO`, and calls nothing that a handler must not call.
        if unsafe { libc::sigaction(libc::SIGSEGV, &raw const action, ptr::null_mut()) } != 0 {
            return Err(io::Error::last_os_error());
        }
        if !set_cpuid(Cpuid::Faults) {
            return Err(io::Error::other(
                "AVX-512 cannot be hidden: CPUID does not fault here",
            ));
        }
        match std::arch::is_x86_feature_detected!("avx512f") {
            true => Err(io::Error::other(
                "AVX-512 cannot be hidden: it was detected before",
            )),
            false => Ok(()),
        }
    }

    #[derive(Clone, Copy)]
    enum Cpuid {
        Faults = 0,
        Answers = 1,
    }

    /// Returns whether the kernel did it.
    fn set_cpuid(cpuid: Cpuid) -> bool {
        const ARCH_SET_CPUID: c_int = 0x1012;
        // SAFETY: this only changes what CPUID does, and `answer_cpuid` does the rest.
        unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_SET_CPUID, cpuid as c_int) == 0 }
    }

    /// Handles the fault of a CPUID: executes it, and answers without what is hidden.
    extern "C" fn answer_cpuid(_: c_int, _: *mut libc::siginfo_t, context: *mut c_void) {
        use libc::{REG_RAX, REG_RBX, REG_RCX, REG_RDX, REG_RIP};
        const CPUID: [u8; 2] = [0x0f, 0xa2];

        // SAFETY: the kernel passes this type, and nothing else has access to it.
        let registers = unsafe { &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
        let [a, b, c, d, at] =
            [REG_RAX, REG_RBX, REG_RCX, REG_RDX, REG_RIP].map(|register| register as usize);
        // SAFETY: if this cannot be read, the process ends with this second fault, as it should with the first.
        if unsafe { *(registers[at] as *const [u8; 2]) } != CPUID {
            // SAFETY: without the handler, the fault repeats and ends the process.
            unsafe { libc::signal(libc::SIGSEGV, libc::SIG_DFL) };
            return;
        }
        set_cpuid(Cpuid::Answers);
        let answer = hidden(registers[a] as u32, registers[c] as u32);
        set_cpuid(Cpuid::Faults);
        registers[a] = answer.eax.into();
        registers[b] = answer.ebx.into();
        registers[c] = answer.ecx.into();
        registers[d] = answer.edx.into();
        registers[at] += CPUID.len() as i64;
    }

    /// Intel's Software Developer's Manual, volume 2, CPUID: the leaf of the structured extended features.
    fn hidden(leaf: u32, subleaf: u32) -> CpuidResult {
        let answer = __cpuid_count(leaf, subleaf);
        match (leaf, subleaf) {
            (7, 0) => CpuidResult {
                // ERMS; AVX-512 F, DQ, IFMA, PF, ER, CD, BW and VL.
                ebx: answer.ebx & !bits(&[9, 16, 17, 21, 26, 27, 28, 30, 31]),
                // AVX-512 VBMI, VBMI2, VNNI, BITALG and VPOPCNTDQ.
                ecx: answer.ecx & !bits(&[1, 6, 11, 12, 14]),
                // AVX-512 4VNNIW, 4FMAPS, VP2INTERSECT and FP16; FSRM.
                edx: answer.edx & !bits(&[2, 3, 4, 8, 23]),
                ..answer
            },
            (7, 1) => CpuidResult {
                // AVX-512 BF16.
                eax: answer.eax & !bits(&[5]),
                ..answer
            },
            _ => answer,
        }
    }

    fn bits(bits: &[u32]) -> u32 {
        bits.iter().fold(0, |mask, bit| mask | 1 << bit)
    }
}
