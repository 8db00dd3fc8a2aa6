/*
 * Flight marks: a table of small sets, each searched from end to end.
 */

#include "store_layout.h"


static akl_flight_t *akl_store_set_of(akl_store_t *store,
    const unsigned char *key);


int
akl_store_join(akl_store_t *store, const unsigned char *key, int64_t now,
    int64_t deadline, int32_t pid, int32_t *owner)
{
    unsigned       i;
    akl_flight_t  *set, *place;

    set = akl_store_set_of(store, key);
    place = NULL;

    for (i = 0; i < AKL_STORE_WAYS; i++) {

        if (set[i].deadline <= now) {
            place = &set[i];
            continue;
        }

        if (memcmp(set[i].key, key, AKL_STORE_KEY) == 0) {
            *owner = set[i].pid;
            return 1;
        }
    }

    if (place == NULL) {
        return -1;
    }

    place->deadline = deadline;
    place->pid = pid;
    memcpy(place->key, key, AKL_STORE_KEY);

    return 0;
}


void
akl_store_part(akl_store_t *store, const unsigned char *key, int32_t pid)
{
    unsigned       i;
    akl_flight_t  *set;

    set = akl_store_set_of(store, key);

    for (i = 0; i < AKL_STORE_WAYS; i++) {

        if (set[i].deadline && set[i].pid == pid
            && memcmp(set[i].key, key, AKL_STORE_KEY) == 0)
        {
            memset(&set[i], 0, sizeof(akl_flight_t));
            return;
        }
    }
}


static akl_flight_t *
akl_store_set_of(akl_store_t *store, const unsigned char *key)
{
    uint32_t  hash;

    memcpy(&hash, key, sizeof(uint32_t));

    return akl_store_flights(store)
           + (size_t) (hash & (store->sets - 1)) * AKL_STORE_WAYS;
}
