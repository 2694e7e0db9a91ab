/* SPDX-License-Identifier: Apache-2.0 */
#include "base/enc.h"

static const char HEX[] = "0123456789abcdef";
static const char B64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char B64URL[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void enc_hex(buf *out, str bytes) {
    for (size_t i = 0; i < bytes.n; i++) {
        unsigned char c = (unsigned char)bytes.p[i];
        buf_c(out, HEX[c >> 4]);
        buf_c(out, HEX[c & 15]);
    }
}

static int unhex1(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool enc_unhex(buf *out, str hex) {
    if (hex.n % 2) return false;
    for (size_t i = 0; i < hex.n; i += 2) {
        int a = unhex1(hex.p[i]), b = unhex1(hex.p[i + 1]);
        if (a < 0 || b < 0) return false;
        buf_c(out, (char)(a << 4 | b));
    }
    return true;
}

static void base64(buf *out, str s, const char *abc, bool pad) {
    const unsigned char *p = (const unsigned char *)s.p;
    size_t i = 0;
    for (; i + 3 <= s.n; i += 3) {
        char q[4] = {abc[p[i] >> 2], abc[(p[i] & 3) << 4 | p[i + 1] >> 4],
                     abc[(p[i + 1] & 15) << 2 | p[i + 2] >> 6], abc[p[i + 2] & 63]};
        buf_add(out, q, 4);
    }
    if (s.n - i == 1) {
        buf_c(out, abc[p[i] >> 2]);
        buf_c(out, abc[(p[i] & 3) << 4]);
        if (pad) buf_add(out, "==", 2);
    } else if (s.n - i == 2) {
        buf_c(out, abc[p[i] >> 2]);
        buf_c(out, abc[(p[i] & 3) << 4 | p[i + 1] >> 4]);
        buf_c(out, abc[(p[i + 1] & 15) << 2]);
        if (pad) buf_c(out, '=');
    }
}

void enc_base64(buf *out, str bytes) { base64(out, bytes, B64, true); }
void enc_base64url(buf *out, str bytes) { base64(out, bytes, B64URL, false); }

static int unb64(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '+' || c == '-') return 62;
    if (c == '/' || c == '_') return 63;
    return -1;
}

bool enc_unbase64(buf *out, str s) {
    while (s.n && s.p[s.n - 1] == '=') {
        if (s.n % 4) return false;
        s.n--;
        if (s.n % 4 == 1) return false;
        if (s.n % 4 == 2) break;
        if (s.p[s.n - 1] == '=') {
            s.n--;
            break;
        }
        break;
    }
    if (s.n % 4 == 1) return false;
    uint32_t acc = 0;
    int bits = 0;
    for (size_t i = 0; i < s.n; i++) {
        int v = unb64(s.p[i]);
        if (v < 0) return false;
        acc = acc << 6 | (uint32_t)v;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            buf_c(out, (char)(acc >> bits));
            acc &= (1u << bits) - 1;
        }
    }
    return true;
}

void enc_percent(buf *out, str s, const char *keep) {
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     (c && strchr("-._~", c)) || (c && strchr(keep, c));
        if (plain) {
            buf_c(out, (char)c);
        } else {
            char q[3] = {'%', "0123456789ABCDEF"[c >> 4], "0123456789ABCDEF"[c & 15]};
            buf_add(out, q, 3);
        }
    }
}

bool enc_unpercent(buf *out, str s, bool plus) {
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '%') {
            if (s.n - i < 3) return false;
            int a = unhex1(s.p[i + 1]), b = unhex1(s.p[i + 2]);
            if (a < 0 || b < 0) return false;
            buf_c(out, (char)(a << 4 | b));
            i += 2;
        } else {
            buf_c(out, plus && s.p[i] == '+' ? ' ' : s.p[i]);
        }
    }
    return true;
}
