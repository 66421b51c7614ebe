package call

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

// cpuSeconds is the processor time that this process has used.
func cpuSeconds() float64 {
	var created, exited, kernel, user windows.Filetime
	if windows.GetProcessTimes(windows.CurrentProcess(), &created, &exited, &kernel, &user) != nil {
		return 0
	}
	ticks := func(t windows.Filetime) int64 { return int64(t.HighDateTime)<<32 | int64(t.LowDateTime) } // of 100 ns
	return float64(ticks(kernel)+ticks(user)) / 1e7
}

// memoryCounters is PROCESS_MEMORY_COUNTERS (psapi.h).
type memoryCounters struct {
	size, pageFaults           uint32
	peakWorkingSet, workingSet uintptr
	_                          [6]uintptr // quotas and page file
}

var getProcessMemoryInfo = windows.NewLazySystemDLL("kernel32.dll").NewProc("K32GetProcessMemoryInfo")

// residentMB is the resident memory of this process in MB; 0 if the system does not say.
func residentMB() float64 {
	m := memoryCounters{size: uint32(unsafe.Sizeof(memoryCounters{}))}
	ok, _, _ := getProcessMemoryInfo.Call(uintptr(windows.CurrentProcess()), uintptr(unsafe.Pointer(&m)), uintptr(m.size))
	if ok == 0 {
		return 0
	}
	return float64(m.workingSet) / 1e6
}
