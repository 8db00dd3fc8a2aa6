/* Who has to go when there is no room, and who has not. */

#include "lib/shm_test.h"


/* as many entries of one block as the share of the class has room for */

static uint32_t
fill_class(akl_store_t *store, unsigned cls, uint64_t first, int64_t expires)
{
    uint32_t  n, room;

    room = share_of(store, cls);

    for (n = 0; n < room; n++) {
        assert_int_equal(put(store, cls, first + n, 100, NOW, expires), 0);
    }

    return room;
}


static void
the_least_recently_used_goes_first(void **state)
{
    size_t        i;
    uint32_t      n, room;
    akl_store_t  *store;

    (void) state;

    for (i = 0; i < AKL_STORE_CLASSES; i++) {

        if (classes[i] == AKL_STORE_REVOKED) {
            continue;
        }

        store = store_new(SMALL);
        room = fill_class(store, classes[i], 0, LATER);

        assert_true(room > 20);
        assert_int_equal(stat_of(store).evicted[i], 0);

        /* 0 is read, 1 replaced: both are newer than the rest then */

        assert_int_equal(look(store, classes[i], 0, NOW), 100);
        assert_int_equal(put(store, classes[i], 1, 100, NOW, LATER), 0);

        for (n = 0; n < 10; n++) {
            assert_int_equal(put(store, classes[i], room + n, 100, NOW,
                                 LATER), 0);
        }

        assert_int_equal(stat_of(store).evicted[i], 10);
        assert_int_equal(stat_of(store).entries[i], room);

        for (n = 0; n < room + 10; n++) {
            assert_int_equal(look(store, classes[i], n, NOW),
                             (n >= 2 && n < 12) ? -1 : 100);
        }

        check(store);
        store_free(store);
    }
}


static void
a_revocation_that_counts_never_goes(void **state)
{
    uint32_t      n, room;
    akl_store_t  *store;

    (void) state;

    store = store_new(SMALL);
    room = fill_class(store, AKL_STORE_REVOKED, 0, LATER);

    for (n = 0; n < 10; n++) {
        assert_int_equal(put(store, AKL_STORE_REVOKED, room + n, 100, NOW,
                             LATER), -1);
    }

    /* one that is there may be renewed; one that grows too much stays */

    assert_int_equal(put(store, AKL_STORE_REVOKED, 3, 50, NOW, LATER), 0);
    assert_int_equal(put(store, AKL_STORE_REVOKED, 3, 100, NOW, LATER), 0);
    assert_int_equal(put(store, AKL_STORE_REVOKED, 3, 900, NOW, LATER), -1);
    assert_int_equal(put(store, AKL_STORE_REVOKED, 3,
                         AKL_STORE_BLOB_MAX + 1, NOW, LATER), -1);

    for (n = 0; n < room; n++) {
        assert_int_equal(look(store, AKL_STORE_REVOKED, n, NOW), 100);
    }

    assert_int_equal(stat_of(store).evicted[AKL_STORE_REVOKED], 0);
    check(store);

    /* what has ended makes room, wherever in the list it is */

    store_free(store);
    store = store_new(SMALL);

    for (n = 0; n < room; n++) {
        assert_int_equal(put(store, AKL_STORE_REVOKED, n, 100, NOW,
                             (n == room / 2) ? NOW + 5 : LATER), 0);
    }

    assert_int_equal(put(store, AKL_STORE_REVOKED, room, 100, NOW + 4, LATER),
                     -1);
    assert_int_equal(put(store, AKL_STORE_REVOKED, room, 100, NOW + 5, LATER),
                     0);

    for (n = 0; n <= room; n++) {
        assert_int_equal(look(store, AKL_STORE_REVOKED, n, NOW + 5),
                         (n == room / 2) ? -1 : 100);
    }

    check(store);
    store_free(store);
}


static void
a_look_in_vain_makes_nothing_newer(void **state)
{
    uint32_t       room;
    test_key_t     key;
    akl_store_t   *store;
    unsigned char  small[10];

    (void) state;

    store = store_new(SMALL);
    room = fill_class(store, AKL_STORE_REFUSAL, 0, LATER);
    key = key_of(0);

    assert_int_equal(akl_store_get(store, AKL_STORE_REFUSAL, key.data, NOW,
                                   small, sizeof(small), NULL), -2);
    assert_int_equal(put(store, AKL_STORE_REFUSAL, room, 100, NOW, LATER), 0);
    assert_int_equal(look(store, AKL_STORE_REFUSAL, 0, NOW), -1);
    assert_int_equal(look(store, AKL_STORE_REFUSAL, 1, NOW), 100);

    store_free(store);
}


static void
a_large_blob_evicts_as_many_as_it_needs(void **state)
{
    uint32_t      n, room, need;
    akl_store_t  *store;

    (void) state;

    store = store_new(SMALL);
    room = fill_class(store, AKL_STORE_VERDICT, 0, LATER);
    need = blocks_for(AKL_STORE_BLOB_MAX);

    assert_int_equal(put(store, AKL_STORE_VERDICT, room, AKL_STORE_BLOB_MAX,
                         NOW, LATER), 0);
    assert_int_equal(stat_of(store).evicted[AKL_STORE_VERDICT], need);

    for (n = 0; n < room; n++) {
        assert_int_equal(look(store, AKL_STORE_VERDICT, n, NOW),
                         (n < need) ? -1 : 100);
    }

    assert_int_equal(look(store, AKL_STORE_VERDICT, room, NOW),
                     AKL_STORE_BLOB_MAX);
    check(store);

    /* larger than the whole share: nothing is evicted for it in vain */

    assert_true(need > share_of(store, AKL_STORE_REVOKED));
    fill_class(store, AKL_STORE_REVOKED, 0, LATER);
    assert_int_equal(put(store, AKL_STORE_REVOKED, 999, AKL_STORE_BLOB_MAX,
                         NOW, LATER), -1);
    assert_int_equal(stat_of(store).evicted[AKL_STORE_REVOKED], 0);
    assert_int_equal(look(store, AKL_STORE_REVOKED, 0, NOW), 100);

    store_free(store);
}


static void
what_has_ended_makes_room_first(void **state)
{
    size_t        i;
    uint32_t      n, room;
    akl_store_t  *store;

    (void) state;

    for (i = 0; i < AKL_STORE_CLASSES; i++) {

        store = store_new(SMALL);
        room = fill_class(store, classes[i], 0, NOW + 10);

        for (n = 0; n < room; n++) {
            assert_int_equal(put(store, classes[i], room + n, 100, NOW + 10,
                                 LATER), 0);
        }

        assert_int_equal(stat_of(store).evicted[i], 0);
        assert_int_equal(stat_of(store).entries[i], room);

        /* a few a write, of any class, so that none takes long */

        store_free(store);
        store = store_new(SMALL);
        room = fill_class(store, classes[i], 0, NOW + 10);

        assert_int_equal(put(store, AKL_STORE_VERDICT, 9999, 100, NOW + 10,
                             LATER), 0);
        n = room - stat_of(store).entries[i];

        assert_in_range(n, 1, 4);
        check(store);

        store_free(store);
    }
}


/* the point of classes: no flood in one of them costs another an entry */

static void
a_flood_stays_in_its_class(void **state)
{
    size_t        i, j, kept;
    uint64_t      n;
    akl_store_t  *store;

    (void) state;

    for (i = 0; i < AKL_STORE_CLASSES; i++) {

        store = store_new(SMALL);
        kept = 0;

        for (j = 0; j < AKL_STORE_CLASSES; j++) {
            for (n = 0; n < 8; n++) {
                assert_int_equal(put(store, classes[j], n, 300, NOW, LATER),
                                 0);
            }
        }

        for (n = 0; n < 3000; n++) {
            kept += (put(store, classes[i], 1000 + n, 1 + n * 37 % 3000, NOW,
                         LATER) == 0);
        }

        check(store);

        if (classes[i] == AKL_STORE_REVOKED) {
            assert_true(kept < 100);
            assert_int_equal(stat_of(store).evicted[i], 0);

        } else {
            assert_int_equal(kept, 3000);
            assert_true(stat_of(store).evicted[i] > 2000);
        }

        for (j = 0; j < AKL_STORE_CLASSES; j++) {

            if (j == i) {
                continue;
            }

            assert_int_equal(stat_of(store).evicted[j], 0);

            for (n = 0; n < 8; n++) {
                assert_int_equal(look(store, classes[j], n, NOW), 300);
            }
        }

        store_free(store);
    }
}


static void
verdicts_and_guarded_tokens_share_by_halves(void **state)
{
    unsigned      i, one, other;
    uint32_t      n, room, half;
    akl_store_t  *store;

    (void) state;

    for (i = 0; i < 2; i++) {

        one = i ? AKL_STORE_VERDICT : AKL_STORE_GUARD;
        other = i ? AKL_STORE_GUARD : AKL_STORE_VERDICT;

        /* alone it has all of it */

        store = store_new(SMALL);
        room = fill_class(store, one, 0, LATER);
        half = room / 2;

        assert_int_equal(stat_of(store).entries[one], room);

        /* the other one takes its half back, and not more */

        for (n = 0; n < 2 * room; n++) {
            assert_int_equal(put(store, other, n, 100, NOW, LATER), 0);
        }

        assert_in_range(stat_of(store).entries[one], half - 1, half + 1);
        assert_in_range(stat_of(store).entries[other], half - 1, half + 1);
        check(store);

        /* what stays within its half loses nothing to a flood */

        store_free(store);
        store = store_new(SMALL);

        for (n = 0; n < half; n++) {
            assert_int_equal(put(store, one, n, 100, NOW, LATER), 0);
        }

        for (n = 0; n < 2 * room; n++) {
            assert_int_equal(put(store, other, n, 100, NOW, LATER), 0);
        }

        assert_int_equal(stat_of(store).evicted[one], 0);

        for (n = 0; n < half; n++) {
            assert_int_equal(look(store, one, n, NOW), 100);
        }

        store_free(store);
    }
}


/* the same with blobs of real sizes, where halves come out uneven */

static void
a_half_is_safe_from_blobs_of_any_size(void **state)
{
    unsigned      i, one, other;
    uint64_t      n, kept;
    akl_store_t  *store;

    (void) state;

    for (i = 0; i < 2; i++) {

        one = i ? AKL_STORE_VERDICT : AKL_STORE_GUARD;
        other = i ? AKL_STORE_GUARD : AKL_STORE_VERDICT;

        store = store_new(SMALL);

        for (kept = 0;
             (taken_by(store, one) + blocks_for(2100)) * 2
             <= share_of(store, one);
             kept++)
        {
            assert_int_equal(put(store, one, kept, 2100, NOW, LATER), 0);
        }

        assert_true(kept > 10);

        for (n = 0; n < 2000; n++) {
            assert_int_equal(put(store, other, n, 1 + n * 7919 % 16384, NOW,
                                 LATER), 0);
        }

        assert_int_equal(stat_of(store).evicted[one], 0);
        assert_true(stat_of(store).evicted[other] > 1000);

        for (n = 0; n < kept; n++) {
            assert_int_equal(look(store, one, n, NOW), 2100);
        }

        check(store);
        store_free(store);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(the_least_recently_used_goes_first),
        cmocka_unit_test(a_revocation_that_counts_never_goes),
        cmocka_unit_test(a_look_in_vain_makes_nothing_newer),
        cmocka_unit_test(a_large_blob_evicts_as_many_as_it_needs),
        cmocka_unit_test(what_has_ended_makes_room_first),
        cmocka_unit_test(a_flood_stays_in_its_class),
        cmocka_unit_test(verdicts_and_guarded_tokens_share_by_halves),
        cmocka_unit_test(a_half_is_safe_from_blobs_of_any_size)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("shm_evict", tests, NULL, NULL);
}
