/* The store: blobs of every size, their end, and that they are wiped. */

#define _GNU_SOURCE

#include <unistd.h>

#include "lib/shm_test.h"


static void
only_its_own_layout_is_attached(void **state)
{
    akl_store_t  *store;

    (void) state;

    store = memory_new(SMALL);

    assert_null(akl_store_attach(store, SMALL));
    assert_null(akl_store_init(store, AKL_STORE_MIN - 1));
    assert_null(akl_store_attach(store, SMALL));

    assert_ptr_equal(akl_store_init(store, SMALL), store);
    assert_ptr_equal(akl_store_attach(store, SMALL), store);
    assert_null(akl_store_attach(store, SMALL - 4096));

    store->version++;
    assert_null(akl_store_attach(store, SMALL));
    store->version--;

    assert_int_equal(put(store, AKL_STORE_VERDICT, 1, 900, NOW, LATER), 0);
    assert_ptr_equal(akl_store_attach(store, SMALL), store);
    assert_int_equal(look(store, AKL_STORE_VERDICT, 1, NOW), 900);

    store_free(store);
}


static void
sizes_from_the_least_on_are_used_well(void **state)
{
    size_t        size;
    akl_store_t  *store;

    (void) state;

    for (size = AKL_STORE_MIN; size < 64 * 1024 * 1024; size = size * 3 + 17) {

        store = store_new(size);
        check(store);

        assert_true(store->block_offset
                    + (size_t) store->blocks * AKL_STORE_BLOCK <= size);
        assert_true(stat_of(store).size > size / 100 * 85);

        /* chains of the buckets stay short when each block is an entry */

        assert_true(store->blocks <= store->buckets * 2);

        assert_int_equal(munmap(store, size), 0);
    }
}


static void
processes_may_map_it_anywhere(void **state)
{
    int            fd;
    akl_store_t   *one, *two;

    (void) state;

    fd = memfd_create("shm_store", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, SMALL), 0);

    one = mmap(NULL, SMALL, PROT_READ|PROT_WRITE, MAP_SHARED, fd, 0);
    two = mmap(NULL, SMALL, PROT_READ|PROT_WRITE, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(one, MAP_FAILED);
    assert_ptr_not_equal(two, MAP_FAILED);
    assert_ptr_not_equal(one, two);

    assert_non_null(akl_store_init(one, SMALL));
    assert_int_equal(put(one, AKL_STORE_VERDICT, 1, 3000, NOW, LATER), 0);
    assert_ptr_equal(akl_store_attach(two, SMALL), two);
    assert_int_equal(put(two, AKL_STORE_VERDICT, 2, 5000, NOW, LATER), 0);

    assert_int_equal(munmap(one, SMALL), 0);

    assert_int_equal(look(two, AKL_STORE_VERDICT, 1, NOW), 3000);
    assert_int_equal(look(two, AKL_STORE_VERDICT, 2, NOW), 5000);
    check(two);

    assert_int_equal(munmap(two, SMALL), 0);
    close(fd);
}


/* buffers are as large as they need to be: a sanitizer sees a byte more */

static void
blobs_of_every_length_come_back(void **state)
{
    size_t          len;
    int64_t         expires;
    test_key_t      key;
    akl_store_t    *store;
    unsigned char  *in, *out;

    (void) state;

    store = store_new(SMALL);
    key = key_of(7);

    for (len = 1; len <= AKL_STORE_BLOB_MAX; len += (len < 1200) ? 1 : 251) {

        in = malloc(len);
        out = malloc(len);
        assert_non_null(in);
        assert_non_null(out);

        fill(in, len, len);
        expires = 0;

        assert_int_equal(akl_store_set(store, AKL_STORE_VERDICT, key.data, in,
                                       len, NOW, LATER), 0);
        assert_int_equal(akl_store_get(store, AKL_STORE_VERDICT, key.data,
                                       NOW, out, len - 1, &expires), -2);
        assert_int_equal(expires, 0);
        assert_int_equal(akl_store_get(store, AKL_STORE_VERDICT, key.data,
                                       NOW, out, len, &expires), len);
        assert_int_equal(expires, LATER);
        assert_memory_equal(in, out, len);
        assert_int_equal(stat_of(store).used, blocks_for(len) * 256);
        assert_int_equal(stat_of(store).entries[AKL_STORE_VERDICT], 1);

        free(in);
        free(out);
    }

    check(store);

    assert_int_equal(put(store, AKL_STORE_VERDICT, 8, AKL_STORE_BLOB_MAX, NOW,
                         LATER), 0);
    assert_int_equal(put(store, AKL_STORE_VERDICT, 9, AKL_STORE_BLOB_MAX + 1,
                         NOW, LATER), -1);
    assert_int_equal(look(store, AKL_STORE_VERDICT, 9, NOW), -1);
    check(store);

    store_free(store);
}


static void
a_blob_is_replaced_by_one_of_any_size(void **state)
{
    size_t         i, j;
    test_key_t     key;
    akl_store_t   *store;
    unsigned char  in[5000], out[5000];

    static const size_t  sizes[] = { 1, 192, 193, 444, 445, 2048, 5000 };
    static const size_t  n = sizeof(sizes) / sizeof(sizes[0]);

    (void) state;

    store = store_new(SMALL);
    key = key_of(1);

    for (i = 0; i < n; i++) {
        for (j = 0; j < n; j++) {

            fill(in, sizes[i], i);
            assert_int_equal(akl_store_set(store, AKL_STORE_GUARD, key.data,
                                           in, sizes[i], NOW, LATER), 0);
            fill(in, sizes[j], 100 + j);
            assert_int_equal(akl_store_set(store, AKL_STORE_GUARD, key.data,
                                           in, sizes[j], NOW, LATER), 0);
            assert_int_equal(akl_store_get(store, AKL_STORE_GUARD, key.data,
                                           NOW, out, sizeof(out), NULL),
                             sizes[j]);
            assert_memory_equal(in, out, sizes[j]);
            assert_int_equal(stat_of(store).entries[AKL_STORE_GUARD], 1);
            assert_int_equal(stat_of(store).used, blocks_for(sizes[j]) * 256);
            check(store);
        }
    }

    assert_int_equal(stat_of(store).evicted[AKL_STORE_GUARD], 0);

    store_free(store);
}


static void
one_key_may_be_in_each_class(void **state)
{
    size_t        i, j;
    test_key_t    key;
    akl_store_t  *store;

    (void) state;

    store = store_new(SMALL);
    key = key_of(3);

    for (i = 0; i < AKL_STORE_CLASSES; i++) {
        assert_int_equal(put(store, classes[i], 3, 10 + i, NOW, LATER), 0);
    }

    for (i = 0; i < AKL_STORE_CLASSES; i++) {
        assert_int_equal(look(store, classes[i], 3, NOW), 10 + i);
    }

    for (i = 0; i < AKL_STORE_CLASSES; i++) {

        forget(store, classes[i], key.data);

        for (j = 0; j < AKL_STORE_CLASSES; j++) {
            assert_int_equal(look(store, classes[j], 3, NOW),
                             (j <= i) ? -1 : (ssize_t) (10 + j));
        }
    }

    forget(store, AKL_STORE_VERDICT, key.data);
    check(store);
    assert_int_equal(stat_of(store).used, 0);

    store_free(store);
}


/* one token must not be answered with what another one's verdict says */

static void
keys_that_differ_in_a_byte_are_apart(void **state)
{
    size_t         i;
    test_key_t     key;
    akl_store_t   *store;
    unsigned char  blob[8], out[8];

    (void) state;

    store = store_new(SMALL);

    for (i = 0; i <= AKL_STORE_KEY; i++) {
        key = key_of(1);

        if (i < AKL_STORE_KEY) {
            key.data[i] ^= 1;
        }

        fill(blob, sizeof(blob), i);
        assert_int_equal(akl_store_set(store, AKL_STORE_VERDICT, key.data,
                                       blob, sizeof(blob), NOW, LATER), 0);
        assert_int_equal(stat_of(store).entries[AKL_STORE_VERDICT], i + 1);
    }

    for (i = 0; i <= AKL_STORE_KEY; i++) {
        key = key_of(1);

        if (i < AKL_STORE_KEY) {
            key.data[i] ^= 1;
        }

        fill(blob, sizeof(blob), i);
        assert_int_equal(akl_store_get(store, AKL_STORE_VERDICT, key.data,
                                       NOW, out, sizeof(out), NULL),
                         sizeof(out));
        assert_memory_equal(out, blob, sizeof(out));
    }

    check(store);
    store_free(store);
}


static void
an_alias_outlives_what_it_names(void **state)
{
    test_key_t     key, alias;
    akl_store_t   *store;
    unsigned char  named[AKL_STORE_KEY], blob[64];

    (void) state;

    store = store_new(SMALL);
    key = key_of(1);
    alias = key_of(2);

    assert_int_equal(put(store, AKL_STORE_VERDICT, 1, 64, NOW, NOW + 10), 0);
    assert_int_equal(akl_store_set(store, AKL_STORE_ALIAS, alias.data,
                                   key.data, sizeof(key), NOW, NOW + 20), 0);

    assert_int_equal(akl_store_get(store, AKL_STORE_ALIAS, alias.data, NOW,
                                   named, sizeof(named), NULL),
                     sizeof(named));
    assert_int_equal(akl_store_get(store, AKL_STORE_VERDICT, named, NOW,
                                   blob, sizeof(blob), NULL), sizeof(blob));

    /* it is a key like any other, nothing follows it into freed blocks */

    assert_int_equal(put(store, AKL_STORE_REFUSAL, 5, 64, NOW + 10, LATER),
                     0);
    assert_int_equal(akl_store_get(store, AKL_STORE_ALIAS, alias.data,
                                   NOW + 10, named, sizeof(named), NULL),
                     sizeof(named));
    assert_memory_equal(named, key.data, sizeof(named));
    assert_int_equal(akl_store_get(store, AKL_STORE_VERDICT, named, NOW + 10,
                                   blob, sizeof(blob), NULL), -1);

    store_free(store);
}


static void
a_blob_ends_to_the_second(void **state)
{
    size_t        i;
    akl_store_t  *store;

    (void) state;

    store = store_new(SMALL);

    for (i = 0; i < AKL_STORE_CLASSES; i++) {
        assert_int_equal(put(store, classes[i], i, 700, NOW, NOW + 10), 0);
        assert_int_equal(look(store, classes[i], i, NOW + 9), 700);
        assert_int_equal(look(store, classes[i], i, NOW + 10), -1);
        assert_int_equal(stat_of(store).entries[i], 0);
        assert_int_equal(look(store, classes[i], i, NOW), -1);
    }

    assert_int_equal(stat_of(store).used, 0);
    check(store);

    /* what has ended on arrival takes the former one away, no more */

    assert_int_equal(put(store, AKL_STORE_VERDICT, 1, 700, NOW, LATER), 0);
    assert_int_equal(put(store, AKL_STORE_VERDICT, 1, 700, NOW, NOW), 0);
    assert_int_equal(look(store, AKL_STORE_VERDICT, 1, NOW), -1);
    assert_int_equal(stat_of(store).used, 0);

    /* so does what is too large */

    assert_int_equal(put(store, AKL_STORE_VERDICT, 1, 700, NOW, LATER), 0);
    assert_int_equal(put(store, AKL_STORE_VERDICT, 1, AKL_STORE_BLOB_MAX + 1,
                         NOW, LATER), -1);
    assert_int_equal(look(store, AKL_STORE_VERDICT, 1, NOW), -1);

    /* no end in sight is not one that has passed */

    assert_int_equal(put(store, AKL_STORE_VERDICT, 2, 700, NOW, INT64_MAX),
                     0);
    assert_int_equal(look(store, AKL_STORE_VERDICT, 2, NOW + 4000000000), 700);

    store_free(store);
}


static const char  secret[] = "eyJhbGciOiJFUzI1";


/* at any place within a block, and in each block of a chain */

static void
put_secret(akl_store_t *store, unsigned cls, uint64_t n, size_t len)
{
    size_t         i;
    test_key_t     key = key_of(n);
    unsigned char  blob[4000];

    assert_true(len <= sizeof(blob));

    for (i = 0; i < len; i++) {
        blob[i] = (unsigned char) secret[i % (sizeof(secret) - 1)];
    }

    assert_int_equal(akl_store_set(store, cls, key.data, blob, len, NOW,
                                   NOW + 10), 0);
    assert_non_null(memmem(store, store->size, secret, sizeof(secret) - 1));
}


static void
assert_wiped(akl_store_t *store, uint64_t n)
{
    test_key_t  key = key_of(n);

    assert_null(memmem(store, store->size, secret, sizeof(secret) - 1));
    assert_null(memmem(store, store->size, key.data, sizeof(key)));
    check(store);
}


static void
what_goes_is_wiped(void **state)
{
    size_t        i;
    uint64_t      n;
    test_key_t    key;
    akl_store_t  *store;

    static const size_t  sizes[] = { 17, 192, 193, 444, 4000 };

    (void) state;

    key = key_of(1);

    for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {

        store = store_new(SMALL);

        put_secret(store, AKL_STORE_VERDICT, 1, sizes[i]);
        forget(store, AKL_STORE_VERDICT, key.data);
        assert_wiped(store, 1);

        /* read too late */

        put_secret(store, AKL_STORE_VERDICT, 1, sizes[i]);
        assert_int_equal(look(store, AKL_STORE_VERDICT, 1, NOW + 10), -1);
        assert_wiped(store, 1);

        /* expired, found by another's write */

        put_secret(store, AKL_STORE_VERDICT, 1, sizes[i]);
        assert_int_equal(put(store, AKL_STORE_ALIAS, 2, 10, NOW + 10, LATER),
                         0);
        assert_wiped(store, 1);

        /* replaced: the key stays */

        put_secret(store, AKL_STORE_VERDICT, 1, sizes[i]);
        assert_int_equal(put(store, AKL_STORE_VERDICT, 1, 1, NOW, LATER), 0);
        assert_null(memmem(store, store->size, secret, sizeof(secret) - 1));

        /* evicted */

        put_secret(store, AKL_STORE_VERDICT, 1, sizes[i]);

        for (n = 0; n < share_of(store, AKL_STORE_VERDICT); n++) {
            assert_int_equal(put(store, AKL_STORE_VERDICT, 100 + n, 100, NOW,
                                 LATER), 0);
        }

        assert_wiped(store, 1);

        /* dropped with all others */

        put_secret(store, AKL_STORE_GUARD, 1, sizes[i]);
        assert_int_equal(akl_store_enter(store, 0), 0);
        assert_int_equal(akl_store_enter(store, 0), 1);
        akl_store_leave(store);
        assert_wiped(store, 1);

        store_free(store);
    }
}


/* what two who read first and write then would take from each other */

static void
a_number_is_only_ever_raised(void **state)
{
    int64_t         value, kept, end;
    akl_store_t    *store;
    unsigned char   key[AKL_STORE_KEY];

    (void) state;

    store = store_new(SMALL);
    memset(key, 7, sizeof(key));

    value = NOW + 50;
    end = NOW + 10;
    assert_int_equal(akl_store_raise(store, AKL_STORE_REVOKED, key, NOW, 100,
                                     &value, &end), 0);
    assert_int_equal(value, NOW + 50);
    assert_int_equal(end, NOW + 150);

    value = NOW + 20;
    end = NOW + 10;
    assert_int_equal(akl_store_raise(store, AKL_STORE_REVOKED, key, NOW, 100,
                                     &value, &end), 0);
    assert_int_equal(value, NOW + 50);
    assert_int_equal(end, NOW + 150);

    assert_int_equal(akl_store_get(store, AKL_STORE_REVOKED, key, NOW, &kept,
                                   sizeof(kept), &end), sizeof(kept));
    assert_int_equal(kept, NOW + 50);
    assert_int_equal(end, NOW + 150);

    value = NOW + 60;
    end = NOW + 400;
    assert_int_equal(akl_store_raise(store, AKL_STORE_REVOKED, key, NOW, 100,
                                     &value, &end), 0);
    assert_int_equal(value, NOW + 60);
    assert_int_equal(end, NOW + 400);

    /* something else under that key is no number to compare with */

    assert_int_equal(akl_store_set(store, AKL_STORE_REVOKED, key, key, 5, NOW,
                                   NOW + 10), 0);
    assert_int_equal(akl_store_raise(store, AKL_STORE_REVOKED, key, NOW, 100,
                                     &value, &end), -1);

    store_free(store);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(only_its_own_layout_is_attached),
        cmocka_unit_test(sizes_from_the_least_on_are_used_well),
        cmocka_unit_test(processes_may_map_it_anywhere),
        cmocka_unit_test(blobs_of_every_length_come_back),
        cmocka_unit_test(a_blob_is_replaced_by_one_of_any_size),
        cmocka_unit_test(one_key_may_be_in_each_class),
        cmocka_unit_test(keys_that_differ_in_a_byte_are_apart),
        cmocka_unit_test(an_alias_outlives_what_it_names),
        cmocka_unit_test(a_blob_ends_to_the_second),
        cmocka_unit_test(a_number_is_only_ever_raised),
        cmocka_unit_test(what_goes_is_wiped)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("shm_store", tests, NULL, NULL);
}
