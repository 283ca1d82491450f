/* As much of a CUDA driver as answers before there is a device: CUDA's runtime, which is inside CuPy, finds no device,
   or a driver that does not fit. $FAKE_CUDA_INIT is what cuInit answers, $FAKE_CUDA_VERSION the newest CUDA that the
   driver supports, 12090 for 12.9. To the runtime it can play no device, since the runtime makes sure that the driver
   is NVIDIA's own. Who calls it directly finds one: $FAKE_CUDA_UUID is its UUID, 32 hexadecimal digits, and function 77
   its only kernel. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OK = 0, NO_DEVICE = 100, INVALID_DEVICE = 101, NOT_FOUND = 500 };

static int number(const char *name, int otherwise) {
    const char *text = getenv(name);
    return text ? atoi(text) : otherwise;
}

int cuInit(unsigned flags) { (void)flags; return number("FAKE_CUDA_INIT", NO_DEVICE); }
int cuDriverGetVersion(int *out) { *out = number("FAKE_CUDA_VERSION", 13020); return OK; }
int cuDeviceGet(int *out, int ordinal) { *out = ordinal; return ordinal == 0 ? OK : INVALID_DEVICE; }
int cuDeviceGetUuid(unsigned char *out, int device) {
    const char *digits = getenv("FAKE_CUDA_UUID");
    if (!digits || strlen(digits) != 32 || device) return INVALID_DEVICE;
    for (int k = 0; k < 16; ++k) sscanf(digits + 2 * k, "%2hhx", &out[k]);
    return OK;
}
int cuOccupancyMaxActiveBlocksPerMultiprocessor(int *out, void *function, int threads, size_t shared) {
    *out = function == (void *)77 && threads == 128 && shared == 0 ? 5 : 0;
    return number("FAKE_CUDA_INIT", NO_DEVICE);
}
int cuGetErrorName(int code, const char **out) {
    *out = code == 2 ? "CUDA_ERROR_OUT_OF_MEMORY" : code == 46 ? "CUDA_ERROR_DEVICE_UNAVAILABLE" : "CUDA_ERROR_OTHER";
    return OK;
}
int cuGetErrorString(int code, const char **out) { (void)code; *out = "as scripted"; return OK; }
int cuGetExportTable(const void **out, const void *id) { (void)id; *out = NULL; return NOT_FOUND; }

static int unknown(void) { return number("FAKE_CUDA_INIT", NO_DEVICE); }

int cuGetProcAddress_v2(const char *name, void **out, int version, unsigned long long flags, int *status) {
    static const struct { const char *name; void *at; } all[] = {
        {"cuInit", (void *)cuInit}, {"cuDriverGetVersion", (void *)cuDriverGetVersion},
        {"cuGetExportTable", (void *)cuGetExportTable}, {"cuGetProcAddress", (void *)cuGetProcAddress_v2},
        {"cuGetErrorName", (void *)cuGetErrorName}, {"cuGetErrorString", (void *)cuGetErrorString},
    };
    (void)version, (void)flags;
    *out = *name ? (void *)unknown : NULL;
    for (unsigned k = 0; k < sizeof all / sizeof *all; ++k) if (!strcmp(name, all[k].name)) *out = all[k].at;
    if (status) *status = 0;
    return *out ? OK : NOT_FOUND;
}
int cuGetProcAddress(const char *name, void **out, int version, unsigned long long flags) {
    return cuGetProcAddress_v2(name, out, version, flags, NULL);
}
