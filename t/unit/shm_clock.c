/* The store: clocks that are set, forwards and back. */

#include "lib/shm_test.h"


static void
no_blob_gains_life_by_a_clock_set_back(void **state)
{
    size_t        i;
    akl_store_t  *store;

    (void) state;

    store = store_new(SMALL);

    for (i = 0; i < AKL_STORE_CLASSES; i++) {

        if (classes[i] == AKL_STORE_REVOKED) {
            continue;
        }

        assert_int_equal(put(store, classes[i], i, 300, NOW, NOW + 10), 0);

        /* processes need not agree on the second */

        assert_int_equal(look_again(store, classes[i], i, NOW - 2), 300);
        assert_int_equal(look_again(store, classes[i], i, NOW - 3), -1);
        assert_int_equal(look_again(store, classes[i], i, NOW), -1);

        /* set back by as much as has passed: it stands no longer for that */

        assert_int_equal(put(store, classes[i], i, 300, NOW, NOW + 10), 0);
        tell(store, NOW + 6);
        assert_int_equal(look_again(store, classes[i], i, NOW + 6), 300);
        assert_int_equal(look_again(store, classes[i], i, NOW + 4), 300);
        tell(store, NOW + 8);
        assert_int_equal(look_again(store, classes[i], i, NOW + 6), 300);
        tell(store, NOW + 11);
        assert_int_equal(look_again(store, classes[i], i, NOW + 9), -1);
    }

    store_free(store);
}


static void
a_revocation_ends_when_both_clocks_say_so(void **state)
{
    akl_store_t  *store;

    (void) state;

    store = store_new(SMALL);

    /* the clock was set back */

    assert_int_equal(put(store, AKL_STORE_REVOKED, 9, 8, NOW, NOW + 10), 0);
    tell(store, NOW + 20);
    assert_int_equal(look_again(store, AKL_STORE_REVOKED, 9, NOW - 3600), 8);

    /* it was ahead for a while, in which others came */

    assert_int_equal(put(store, AKL_STORE_REVOKED, 8, 8, NOW, NOW + 10), 0);
    assert_int_equal(akl_store_set(store, AKL_STORE_REVOKED, key_of(7).data,
                                   "", 1, NOW + 3600, NOW + 3610), 0);
    assert_int_equal(look_again(store, AKL_STORE_REVOKED, 8, NOW + 3600), 8);
    assert_int_equal(look(store, AKL_STORE_REVOKED, 8, NOW + 9), 8);

    assert_int_equal(look(store, AKL_STORE_REVOKED, 8, NOW + 10), -1);
    assert_int_equal(look(store, AKL_STORE_REVOKED, 9, NOW + 10), -1);

    store_free(store);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(no_blob_gains_life_by_a_clock_set_back),
        cmocka_unit_test(a_revocation_ends_when_both_clocks_say_so)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("shm_clock", tests, NULL, NULL);
}
