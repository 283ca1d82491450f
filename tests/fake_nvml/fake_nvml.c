/* An NVML of scripted devices, as nvidia-ml-py calls it: $FAKE_NVML names the script, read when it is initialised.

   driver VERSION                        what the driver calls itself
   period MILLISECONDS                   between the samples that the driver takes by itself
   device UUID NAME                      a device more; _ in the name stands for a space
   N QUANTITY SECONDS VALUE              device N answers so from so many seconds after the start on
   N QUANTITY SECONDS error CODE         it fails with this code from then on

   A quantity without a line is NOT_SUPPORTED. The quantity "all" goes before every other one. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { OK = 0, UNINITIALIZED = 1, INVALID = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, TOO_SMALL = 7, NO_DRIVER = 9 };
enum { MOST = 400, DEVICES = 8, BUFFER = 120 };

typedef struct { int number; char uuid[96]; char name[96]; } Device;
typedef struct { int device; char quantity[32]; double from; int fails; double value; } Line;
typedef struct { uint64_t time_us; union { double d; uint32_t u; } value; } Sample;
typedef struct { uint32_t pid; uint64_t time_us; uint32_t sm, memory, encoder, decoder; } Process;
typedef struct { uint64_t total, free, used; } Memory;
typedef struct { uint32_t gpu, memory; } Rates;

static Device devices[DEVICES];
static Line lines[MOST];
static int device_count, line_count, initialised;
static double start, period = 0.1;
static char driver[80] = "0.0";

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

int nvmlInitWithFlags(unsigned flags) {
    (void)flags;
    if (initialised++) return OK;
    const char *path = getenv("FAKE_NVML");
    FILE *file = path ? fopen(path, "r") : NULL;
    if (!file) { initialised = 0; return NO_DRIVER; }
    char text[256];
    while (fgets(text, sizeof text, file)) {
        Device *d = &devices[device_count];
        Line *l = &lines[line_count];
        double milliseconds;
        if (sscanf(text, "driver %79s", driver) == 1) continue;
        if (sscanf(text, "period %lf", &milliseconds) == 1) { period = milliseconds / 1000; continue; }
        if (device_count < DEVICES && sscanf(text, "device %95s %95s", d->uuid, d->name) == 2) {
            for (char *c = d->name; *c; ++c) if (*c == '_') *c = ' ';
            d->number = device_count++;
            continue;
        }
        l->fails = sscanf(text, "%d %31s %lf error %lf", &l->device, l->quantity, &l->from, &l->value) == 4;
        if (line_count < MOST &&
            (l->fails || sscanf(text, "%d %31s %lf %lf", &l->device, l->quantity, &l->from, &l->value) == 4)) ++line_count;
    }
    fclose(file);
    start = now();
    return OK;
}

int nvmlShutdown(void) { if (!initialised) return UNINITIALIZED; --initialised; return OK; }

static int look(const Device *d, const char *quantity, double at, double *value) {
    const char *names[2] = {"all", quantity};
    if (!initialised) return UNINITIALIZED;
    for (int k = 0; k < 2; ++k) {
        const Line *found = NULL;
        for (int i = 0; i < line_count; ++i)
            if (lines[i].device == d->number && !strcmp(lines[i].quantity, names[k]) && lines[i].from <= at - start)
                found = &lines[i];
        if (found && found->fails) return (int)found->value;
        if (found && k) { *value = found->value; return OK; }
    }
    return NOT_SUPPORTED;
}

static int whole(const Device *d, const char *quantity, unsigned *out) {
    double value = 0;
    int code = look(d, quantity, now(), &value);
    if (code == OK) *out = (unsigned)value;
    return code;
}

int nvmlDeviceGetCount_v2(unsigned *count) { *count = (unsigned)device_count; return initialised ? OK : UNINITIALIZED; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, Device **out) {
    if (index >= (unsigned)device_count) return INVALID;
    *out = &devices[index];
    double value;
    int code = look(*out, "handle", now(), &value);
    return code == NOT_SUPPORTED ? OK : code;
}
int nvmlDeviceGetUUID(Device *d, char *out, unsigned size) { snprintf(out, size, "%s", d->uuid); return OK; }
int nvmlDeviceGetName(Device *d, char *out, unsigned size) { snprintf(out, size, "%s", d->name); return OK; }
int nvmlDeviceGetCudaComputeCapability(Device *d, int *major, int *minor) { (void)d; *major = 7; *minor = 5; return OK; }
int nvmlSystemGetDriverVersion(char *out, unsigned size) { snprintf(out, size, "%s", driver); return OK; }

int nvmlDeviceGetUtilizationRates(Device *d, Rates *out) {
    int code = whole(d, "gpu", &out->gpu);
    return code == OK ? whole(d, "memory", &out->memory) : code;
}
int nvmlDeviceGetMemoryInfo(Device *d, Memory *out) {
    double used = 0;
    int code = look(d, "used", now(), &used);
    out->total = 16ull << 30;
    out->used = (uint64_t)used;
    out->free = out->total - out->used;
    return code;
}
int nvmlDeviceGetPowerUsage(Device *d, unsigned *out) { return whole(d, "power", out); }
int nvmlDeviceGetTemperature(Device *d, unsigned sensor, unsigned *out) { return sensor ? INVALID : whole(d, "temperature", out); }
int nvmlDeviceGetClockInfo(Device *d, unsigned kind, unsigned *out) {
    return kind == 1 ? whole(d, "sm_clock", out) : kind == 2 ? whole(d, "memory_clock", out) : INVALID;
}
static int throttle(Device *d, uint64_t *out) {
    unsigned mask = 0;
    int code = whole(d, "throttle", &mask);
    *out = mask;
    return code;
}
#ifdef OLD_DRIVER
int nvmlDeviceGetCurrentClocksThrottleReasons(Device *d, uint64_t *out) { return throttle(d, out); }
#else
int nvmlDeviceGetCurrentClocksEventReasons(Device *d, uint64_t *out) { return throttle(d, out); }
int nvmlDeviceGetPcieThroughput(Device *d, unsigned counter, unsigned *out) {
    usleep(20000); /* as long as drivers count */
    return whole(d, counter ? "pcie_rx" : "pcie_tx", out);
}
#endif

int nvmlDeviceGetProcessUtilization(Device *d, Process *out, unsigned *count, uint64_t after_us) {
    unsigned sm = 0, room = *count;
    (void)after_us;
    int code = whole(d, "process", &sm);
    if (code != OK) return code;
    *count = 1;
    if (!out || room < 1) return TOO_SMALL;
    *out = (Process){.pid = (uint32_t)getpid(), .time_us = (uint64_t)(now() * 1e6), .sm = sm};
    return OK;
}

int nvmlDeviceGetSamples(Device *d, unsigned kind, uint64_t after_us, unsigned *type, unsigned *count, Sample *out) {
    static const char *names[] = {"power", "gpu", "memory", "", "", "sm_clock", "memory_clock"};
    double value, at = now();
    unsigned found = 0, room = *count;
    if (kind > 6) return INVALID;
    int code = look(d, "buffer", at, &value);
    if (code != OK) return code;
    code = look(d, names[kind], at, &value);
    if (code != OK) return code;
    if (!out) { *count = BUFFER; return OK; } /* as drivers do: the size of the buffer, not what is in it */
    *type = kind == 2 ? 0 : 1; /* memory utilization as a double, the others unsigned */
    int64_t last = (int64_t)(at / period), first = last - BUFFER + 1;
    for (int64_t n = first; n <= last && found < room; ++n) {
        double when = (double)n * period;
        if (when < start || when * 1e6 <= (double)after_us) continue;
        if (look(d, names[kind], when, &value) != OK) continue;
        out[found].time_us = (uint64_t)(when * 1e6);
        if (*type == 0) out[found].value.d = value; else out[found].value.u = (unsigned)value;
        ++found;
    }
    *count = found;
    return found ? OK : NOT_FOUND;
}

const char *nvmlErrorString(int code) { return code == OK ? "Success" : "scripted error"; }
