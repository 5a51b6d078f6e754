import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import whitecrow as wc
from whitecrow import blas


def of_blas():
    return {pool["num_threads"] for pool in threadpool_info() if is_blas(pool)}


def is_blas(pool):
    return pool["user_api"] == "blas"


@pytest.fixture
def two_threads():
    np.eye(2) @ np.eye(2)
    with threadpool_limits(2, user_api="blas"):
        if of_blas() != {2}:
            pytest.skip("this BLAS has one thread")
        yield


def test_threads_are_given_back(two_threads):
    with blas.one_thread():
        assert of_blas() == {1}
        with blas.one_thread():
            assert of_blas() == {1}
        assert of_blas() == {1}
    assert of_blas() == {2}


def test_threads_are_given_back_after_an_error(two_threads):
    with pytest.raises(KeyError), blas.one_thread():
        raise KeyError
    assert of_blas() == {2}


def test_blocks_may_overlap(two_threads):
    """Enter A, enter B, leave A, leave B: one thread remained."""
    first, second = blas.one_thread(), blas.one_thread()
    first.__enter__()
    other = threading.Thread(target=second.__enter__)
    other.start()
    other.join()
    first.__exit__(None, None, None)
    assert of_blas() == {1}
    second.__exit__(None, None, None)
    assert of_blas() == {2}


def test_a_mixture_is_fitted_on_one_thread(two_threads, monkeypatch):
    seen = []
    fitted = wc.GMM._fitted

    def watched(self, rows):
        seen.extend(of_blas())
        return fitted(self, rows)

    monkeypatch.setattr(wc.GMM, "_fitted", watched)
    wc.GMM(random_state=0).fit(np.random.default_rng(0).normal(size=(200, 4)))
    assert set(seen) == {1}
    assert of_blas() == {2}
