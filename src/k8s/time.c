/*
 * Civil time and seconds, in the proleptic Gregorian calendar.
 */

#include <time.h>

#include "time.h"


#define AKL_TIME_MAX     253402300799     /* 9999-12-31T23:59:59Z */
#define AKL_TIME_DIGITS  12               /* of that, in unix time */
#define AKL_HOUR         3600
#define AKL_DAY          (24 * AKL_HOUR)


static int akl_time_number(const unsigned char *p, size_t n, int *value);
static int64_t akl_time_days(int year, int month, int day);


int
akl_time_parse(akl_str_t text, int64_t *seconds)
{
    int                   year, month, day, hour, minute, second, last;
    size_t                i;
    int64_t               value;
    const unsigned char  *p;

    static const int  days[] = {
        31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
    };

    p = text.data;

    if (text.len == AKL_TIME_LEN) {

        if (p[4] != '-' || p[7] != '-' || (p[10] != 'T' && p[10] != 't')
            || p[13] != ':' || p[16] != ':' || (p[19] != 'Z' && p[19] != 'z')
            || akl_time_number(p, 4, &year) != 0
            || akl_time_number(p + 5, 2, &month) != 0
            || akl_time_number(p + 8, 2, &day) != 0
            || akl_time_number(p + 11, 2, &hour) != 0
            || akl_time_number(p + 14, 2, &minute) != 0
            || akl_time_number(p + 17, 2, &second) != 0)
        {
            return -1;
        }

        if (year < 1970 || month < 1 || month > 12 || hour > 23 || minute > 59
            || second > 59)
        {
            return -1;
        }

        last = days[month - 1];

        if (month == 2
            && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
        {
            last++;
        }

        if (day < 1 || day > last) {
            return -1;
        }

        *seconds = akl_time_days(year, month, day) * AKL_DAY + hour * AKL_HOUR
                   + minute * 60 + second;
        return 0;
    }

    if (text.len == 0 || text.len > AKL_TIME_DIGITS) {
        return -1;
    }

    value = 0;

    for (i = 0; i < text.len; i++) {
        if (p[i] < '0' || p[i] > '9') {
            return -1;
        }

        value = value * 10 + (p[i] - '0');
    }

    if (value > AKL_TIME_MAX) {
        return -1;
    }

    *seconds = value;

    return 0;
}


static int
akl_time_number(const unsigned char *p, size_t n, int *value)
{
    size_t  i;

    *value = 0;

    for (i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9') {
            return -1;
        }

        *value = *value * 10 + (p[i] - '0');
    }

    return 0;
}


/* days since the epoch: years begin in March, so that leap days come last */

static int64_t
akl_time_days(int year, int month, int day)
{
    int64_t  y, era, of_era, of_year;

    y = (month <= 2) ? year - 1 : year;
    era = y / 400;
    of_era = y - era * 400;
    of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year
           - 719468;
}


size_t
akl_time_format(char *dst, int64_t seconds)
{
    time_t     t;
    struct tm  tm;

    if (seconds < 0) {
        seconds = 0;

    } else if (seconds > AKL_TIME_MAX) {
        seconds = AKL_TIME_MAX;
    }

    t = (time_t) seconds;

    (void) gmtime_r(&t, &tm);

    return strftime(dst, AKL_TIME_LEN + 1, "%Y-%m-%dT%H:%M:%SZ", &tm);
}
