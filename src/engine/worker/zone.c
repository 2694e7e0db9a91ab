/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time zones (zone.h). A region is a TZif file (RFC 9636): transitions up to a last one, then the footer's rule, a
 * POSIX TZ text such as "CET-1CEST,M3.5.0,M10.5.0/3".
 */
#include "engine/worker/zone.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/map.h"
#include "base/time.h"

#define ZONEINFO "/usr/share/zoneinfo/"
#define DAY_S 86400ll
#define ZONE_FILE_MAX (1u << 20)

struct zone_type { int32_t offset; bool dst; char abbr[8]; };

/* When summer time begins or ends: month, week (5: last), weekday, seconds of the day. */
struct rule_day { char kind; int month, week, day; int32_t at; };

struct zone {
    char name[64];
    bool fixed;
    size_t n;                  /* transitions */
    int64_t *at;               /* seconds */
    uint8_t *type;             /* type after at[i] */
    struct zone_type *types;
    size_t n_types;
    uint8_t first;             /* type before at[0] */
    bool has_rule, rule_dst;
    struct zone_type std, dst;
    struct rule_day begin, end;
};

static struct zone utc = {.name = "UTC", .fixed = true, .n_types = 1, .types = &(struct zone_type){0, false, "UTC"}};
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static map *known;

const struct zone *zone_utc(void) { return &utc; }
const char *zone_name(const struct zone *z) { return z->name; }
bool zone_is_fixed(const struct zone *z) { return z->fixed; }

/* ---- reading a file ---- */

static int64_t be(const unsigned char *p, int n) {
    uint64_t v = (p[0] & 0x80) && n == 8 ? ~0ull : 0;
    if (n == 4 && (p[0] & 0x80)) v = ~0ull;
    for (int i = 0; i < n; i++) v = v << 8 | p[i];
    return (int64_t)v;
}

static bool posix_name(const char **s, char out[8]) {
    size_t n = 0;
    bool quoted = **s == '<';
    if (quoted) (*s)++;
    while (**s && (quoted ? **s != '>' : ((**s | 32) >= 'a' && (**s | 32) <= 'z'))) {
        if (n < 7) out[n++] = **s;
        (*s)++;
    }
    out[n] = 0;
    if (quoted && **s == '>') (*s)++;
    return n > 0;
}

static int32_t posix_time(const char **s) {
    int sign = 1, h = 0, m = 0, sec = 0;
    if (**s == '-') sign = -1, (*s)++;
    else if (**s == '+') (*s)++;
    while (**s >= '0' && **s <= '9') h = h * 10 + *(*s)++ - '0';
    if (**s == ':') for ((*s)++; **s >= '0' && **s <= '9'; (*s)++) m = m * 10 + **s - '0';
    if (**s == ':') for ((*s)++; **s >= '0' && **s <= '9'; (*s)++) sec = sec * 10 + **s - '0';
    return sign * (h * 3600 + m * 60 + sec);
}

static bool posix_day(const char **s, struct rule_day *d) {
    if (**s != ',') return false;
    (*s)++;
    *d = (struct rule_day){.at = 7200};
    if (**s == 'M') {
        int used = 0;
        if (sscanf(*s, "M%d.%d.%d%n", &d->month, &d->week, &d->day, &used) != 3) return false;
        d->kind = 'M';
        *s += used;
    } else {
        d->kind = **s == 'J' ? 'J' : 'N';
        if (**s == 'J') (*s)++;
        while (**s >= '0' && **s <= '9') d->day = d->day * 10 + *(*s)++ - '0';
    }
    if (**s == '/') {
        (*s)++;
        d->at = posix_time(s);
    }
    return true;
}

static bool read_rule(struct zone *z, const char *s) {
    if (!posix_name(&s, z->std.abbr)) return false;
    z->std.offset = -posix_time(&s);
    z->has_rule = true;
    if (!*s) return true;
    if (!posix_name(&s, z->dst.abbr)) return true;
    z->dst.dst = true;
    z->dst.offset = z->std.offset + 3600;
    if (*s && *s != ',') z->dst.offset = -posix_time(&s);
    z->rule_dst = posix_day(&s, &z->begin) && posix_day(&s, &z->end);
    return true;
}

static struct zone *read_tzif(const unsigned char *p, size_t n) {
    if (n < 44 || memcmp(p, "TZif", 4) != 0 || p[4] < '2') return NULL;
    size_t c[6], d[6];
    for (int i = 0; i < 6; i++) c[i] = (size_t)be(p + 20 + 4 * i, 4);
    /* isut, isstd, leap, time, type, char: skip the 32-bit block */
    size_t skip = 44 + c[3] * 5 + c[4] * 6 + c[5] + c[2] * 8 + c[1] + c[0];
    if (skip > n || n - skip < 44) return NULL;
    p += skip;
    n -= skip;
    for (int i = 0; i < 6; i++) d[i] = (size_t)be(p + 20 + 4 * i, 4);
    if (d[3] > 100000 || d[4] == 0 || d[4] > 256 || d[5] > 4096) return NULL;
    size_t times = 44, types = times + d[3] * 8, infos = types + d[3], chars = infos + d[4] * 6;
    size_t end = chars + d[5] + d[2] * 12 + d[1] + d[0];
    if (end > n) return NULL;
    struct zone *z = calloc(1, sizeof(*z));
    must(z);
    z->n = d[3];
    z->n_types = d[4];
    z->at = calloc(z->n + 1, sizeof(*z->at));
    z->type = calloc(z->n + 1, 1);
    z->types = calloc(z->n_types, sizeof(*z->types));
    must(z->at && z->type && z->types);
    for (size_t i = 0; i < z->n; i++) {
        z->at[i] = be(p + times + 8 * i, 8);
        z->type[i] = p[types + i] < z->n_types ? p[types + i] : 0;
    }
    for (size_t i = 0; i < z->n_types; i++) {
        const unsigned char *t = p + infos + 6 * i;
        z->types[i].offset = (int32_t)be(t, 4);
        z->types[i].dst = t[4];
        if (t[5] < d[5]) snprintf(z->types[i].abbr, sizeof(z->types[i].abbr), "%.*s", (int)(d[5] - t[5]), (const char *)p + chars + t[5]);
    }
    if (n - end > 2 && p[end] == '\n') {
        char rule[80];
        size_t len = 0;
        while (end + 1 + len < n && p[end + 1 + len] != '\n' && len < sizeof(rule) - 1) len++;
        memcpy(rule, p + end + 1, len);
        rule[len] = 0;
        read_rule(z, rule);
    }
    return z;
}

static struct zone *read_region(str name) {
    char path[128];
    if (name.n == 0 || name.n > 48) return NULL;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '+' || c == '/';
        if (!ok) return NULL; /* no dots: nothing leaves the folder */
    }
    if (name.p[0] == '/' || name.p[0] == '-' || name.p[0] == '+') return NULL;
    snprintf(path, sizeof(path), ZONEINFO "%.*s", STR_ARG(name));
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    unsigned char *data = malloc(ZONE_FILE_MAX);
    must(data);
    size_t n = fread(data, 1, ZONE_FILE_MAX, f);
    fclose(f);
    struct zone *z = read_tzif(data, n);
    free(data);
    return z;
}

/* ---- offsets and short names ---- */

static const struct { const char *name, *region; } short_ids[] = {
    {"ACT", "Australia/Darwin"}, {"AET", "Australia/Sydney"}, {"AGT", "America/Argentina/Buenos_Aires"},
    {"ART", "Africa/Cairo"}, {"AST", "America/Anchorage"}, {"BET", "America/Sao_Paulo"}, {"BST", "Asia/Dhaka"},
    {"CAT", "Africa/Harare"}, {"CNT", "America/St_Johns"}, {"CST", "America/Chicago"}, {"CTT", "Asia/Shanghai"},
    {"EAT", "Africa/Addis_Ababa"}, {"ECT", "Europe/Paris"}, {"IET", "America/Indiana/Indianapolis"},
    {"IST", "Asia/Kolkata"}, {"JST", "Asia/Tokyo"}, {"MIT", "Pacific/Apia"}, {"NET", "Asia/Yerevan"},
    {"NST", "Pacific/Auckland"}, {"PLT", "Asia/Karachi"}, {"PNT", "America/Phoenix"}, {"PRT", "America/Puerto_Rico"},
    {"PST", "America/Los_Angeles"}, {"SST", "Pacific/Guadalcanal"}, {"VST", "Asia/Ho_Chi_Minh"},
    {"EST", "-05:00"}, {"MST", "-07:00"}, {"HST", "-10:00"},
};

static int digits(str s, size_t at, size_t n) {
    int v = 0;
    if (at + n > s.n) return -1;
    for (size_t i = at; i < at + n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9') return -1;
        v = v * 10 + s.p[i] - '0';
    }
    return v;
}

/* +h, +hh, +h:mm, +hh:mm, +hh:m, +hhmm, +hh:mm:ss, +hhmmss */
static bool read_offset(str s, int32_t *ret) {
    if (s.n < 2 || (s.p[0] != '+' && s.p[0] != '-')) return false;
    str t = str_from(s, 1);
    int h, m = 0, sec = 0;
    ptrdiff_t colon = str_chr(t, ':', 0);
    if (colon < 0) {
        size_t n = t.n;
        h = digits(t, 0, n == 1 ? 1 : 2);
        if (n != 1 && n != 2 && n != 4 && n != 6) return false;
        if (n >= 4) m = digits(t, 2, 2);
        if (n == 6) sec = digits(t, 4, 2);
    } else {
        if (colon < 1 || colon > 2) return false;
        h = digits(t, 0, (size_t)colon);
        str rest = str_from(t, (size_t)colon + 1);
        ptrdiff_t c2 = str_chr(rest, ':', 0);
        size_t mn = c2 < 0 ? rest.n : (size_t)c2;
        if (mn < 1 || mn > 2) return false;
        m = digits(rest, 0, mn);
        if (c2 >= 0) {
            if (rest.n - (size_t)c2 - 1 != 2) return false;
            sec = digits(rest, (size_t)c2 + 1, 2);
        }
    }
    if (h < 0 || m < 0 || sec < 0 || m > 59 || sec > 59) return false;
    int32_t v = h * 3600 + m * 60 + sec;
    if (v > 18 * 3600) return false;
    *ret = s.p[0] == '-' ? -v : v;
    return true;
}

static struct zone *fixed_zone(str name) {
    int32_t off = 0;
    str rest = name;
    const char *const prefixes[] = {"UTC", "GMT", "UT", "Z", ""};
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
        if (!str_starts(name, str_of(prefixes[i]))) continue;
        rest = str_from(name, strlen(prefixes[i]));
        if (rest.n == 0) break;
        if (str_eqz(str_of(prefixes[i]), "Z")) return NULL;
        if (!read_offset(rest, &off)) return NULL;
        break;
    }
    struct zone *z = calloc(1, sizeof(*z));
    must(z);
    z->fixed = true;
    z->n_types = 1;
    z->types = calloc(1, sizeof(*z->types));
    must(z->types);
    z->types[0].offset = off;
    snprintf(z->types[0].abbr, sizeof(z->types[0].abbr), "%s", off ? "" : "UTC");
    return z;
}

static struct zone *load(str name) {
    for (size_t i = 0; i < ARRAY_LEN(short_ids); i++)
        if (str_eqz(name, short_ids[i].name)) return load(str_of(short_ids[i].region));
    struct zone *z = fixed_zone(name);
    return z ? z : read_region(name);
}

const struct zone *zone_get(str name) {
    if (str_eqz(name, "UTC")) return &utc;
    name = str_trim(name);
    if (name.n == 0 || name.n > 60) return NULL;
    pthread_mutex_lock(&lock);
    if (!known) known = map_new();
    struct zone *z = map_get(known, name);
    /* Bounded, since names come from users: there are 600 regions; the rest are spellings of offsets. */
    if (!z && map_size(known) < 16384 && (z = load(name))) {
        snprintf(z->name, sizeof(z->name), "%.*s", STR_ARG(name));
        map_put(known, name, z);
    }
    pthread_mutex_unlock(&lock);
    return z;
}

/* ---- arithmetic ---- */

static int64_t rule_second(const struct rule_day *d, int64_t year) {
    int64_t day;
    if (d->kind == 'M') {
        day = time_days(year, d->month, 1);
        int64_t w = (day % 7 + 7 + 4) % 7; /* 1970-01-01 was a Thursday */
        day += (d->day - w + 7) % 7 + (d->week - 1) * 7;
        int64_t next = d->month == 12 ? time_days(year + 1, 1, 1) : time_days(year, d->month + 1, 1);
        while (day >= next) day -= 7;
    } else {
        day = time_days(year, 1, 1) + d->day;
        bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        if (d->kind == 'J') day -= leap && d->day >= 60 ? 0 : 1;
    }
    return day * DAY_S + d->at;
}

static const struct zone_type *by_rule(const struct zone *z, int64_t s) {
    if (!z->rule_dst) return &z->std;
    int64_t local = s + z->std.offset, year;
    int m, d;
    time_civil(local >= 0 ? local / DAY_S : -((DAY_S - 1 - local) / DAY_S), &year, &m, &d);
    int64_t begin = rule_second(&z->begin, year) - z->std.offset, end = rule_second(&z->end, year) - z->dst.offset;
    bool summer = begin < end ? s >= begin && s < end : !(s >= end && s < begin);
    return summer ? &z->dst : &z->std;
}

static const struct zone_type *type_at(const struct zone *z, int64_t s) {
    if (z->n == 0 && z->has_rule) return by_rule(z, s);
    if (z->n == 0 || s < z->at[0]) return &z->types[z->first];
    if (s >= z->at[z->n - 1]) return z->has_rule ? by_rule(z, s) : &z->types[z->type[z->n - 1]];
    size_t lo = 0, hi = z->n - 1; /* at[lo] <= s < at[hi] */
    while (hi - lo > 1) {
        size_t mid = (lo + hi) / 2;
        if (z->at[mid] <= s) lo = mid;
        else hi = mid;
    }
    return &z->types[z->type[lo]];
}

static int64_t floor_s(int64_t us) { return us >= 0 ? us / US_PER_S : -((US_PER_S - 1 - us) / US_PER_S); }

int32_t zone_offset(const struct zone *z, int64_t us) {
    return z->fixed ? z->types[0].offset : type_at(z, floor_s(us))->offset;
}

void zone_describe(const struct zone *z, int64_t us, bool *ret_dst, char ret_abbr[16]) {
    const struct zone_type *t = z->fixed ? &z->types[0] : type_at(z, floor_s(us));
    *ret_dst = t->dst;
    snprintf(ret_abbr, 16, "%s", t->abbr);
}

int64_t zone_to_local(const struct zone *z, int64_t us) { return us + zone_offset(z, us) * US_PER_S; }

int64_t zone_to_utc(const struct zone *z, int64_t local_us) {
    if (z->fixed) return local_us - z->types[0].offset * US_PER_S;
    /* Offsets a day before and after: a transition in between makes them differ. */
    int64_t day = DAY_S * US_PER_S;
    int32_t before = zone_offset(z, local_us - day), after = zone_offset(z, local_us + day);
    int64_t early = local_us - before * US_PER_S, late = local_us - after * US_PER_S;
    if (before == after) {
        int32_t now = zone_offset(z, early);
        if (now == before) return early;
        return local_us - now * US_PER_S;
    }
    if (zone_offset(z, early) == before) return early; /* also the earlier one of an overlap */
    if (zone_offset(z, late) == after) return late;
    return early; /* a gap: the offset before it moves the clock on by its length */
}
