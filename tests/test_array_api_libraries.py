"""SciPy and scikit-learn compute on tensors through the array API standard, and find what they find on NumPy arrays.

SciPy reads its switch when it is imported, so each test runs this file as a program in a process of its own.
"""

import os
import subprocess
import sys
import warnings

import numpy as np
import pytest


def random(*shape):
    return np.random.default_rng(sum(shape)).normal(size=shape)


def scipy_cases():
    """By name: a function of arrays, and arrays. Every one is computed with the namespace of its arrays."""
    import scipy.cluster
    import scipy.differentiate
    import scipy.fft as fft
    import scipy.integrate as integrate
    import scipy.interpolate as interpolate
    import scipy.ndimage as ndimage
    import scipy.optimize.elementwise as roots
    import scipy.signal as signal
    import scipy.special as special
    import scipy.stats as stats
    from scipy.cluster import hierarchy, vq
    from scipy.spatial.transform import Rotation

    v, w, image, taps = random(64), random(8, 8).ravel(), random(12, 11), np.array([0.25, 0.5, 0.25])
    positive, square = np.abs(v) + 0.1, random(5, 5) @ random(5, 5).T + np.eye(5)
    cases = {f"fft.{name}": (getattr(fft, name), v) for name in ("fft", "ifft", "rfft", "dct", "dst", "idct", "hfft", "ihfft", "fftshift")}
    cases |= {f"fft.{name}": (getattr(fft, name), image) for name in ("fft2", "ifft2", "rfft2", "fftn", "rfftn", "dctn")}
    cases |= {
        "fft.irfft": (fft.irfft, v + 1j * w),
        "fft.fft of complex64": (fft.fft, (v + 1j * w).astype(np.complex64)),
        "fft.fht": (lambda x: fft.fht(x, 0.1, 1.5), v),
        "signal.convolve": (signal.convolve, v, taps),
        "signal.fftconvolve": (lambda x, y: signal.fftconvolve(x, y, mode="same"), v, taps),
        "signal.oaconvolve": (signal.oaconvolve, v, taps),
        "signal.correlate": (signal.correlate, v, taps),
        "signal.convolve2d": (signal.convolve2d, image, square),
        "signal.hilbert": (signal.hilbert, v),
        "signal.envelope": (signal.envelope, v),
        "signal.detrend": (signal.detrend, v),
        "signal.lfilter": (lambda x, b: signal.lfilter(b, b * 0 + 1, x), v, taps),
        "signal.filtfilt": (lambda x, b: signal.filtfilt(b, b[:1] * 0 + 1, x), v, taps),
        "signal.resample": (lambda x: signal.resample(x, 32), v),
        "signal.resample_poly": (lambda x: signal.resample_poly(x, 2, 3), v),
        "signal.savgol_filter": (lambda x: signal.savgol_filter(x, 5, 2), v),
        "signal.upfirdn": (lambda x, h: signal.upfirdn(h, x, 2), v, taps),
        "signal.wiener": (lambda x: signal.wiener(x, 5), v),
        "signal.medfilt": (lambda x: signal.medfilt(x, 5), v),
        "signal.freqz": (signal.freqz, taps),
        "signal.zpk of tf": (lambda b: signal.zpk2tf(*signal.tf2zpk(b, b)), taps),
        "special.logsumexp": (lambda x: special.logsumexp(x, axis=0), image),
        "special.softmax": (lambda x: special.softmax(x, axis=1), image),
        "special.betainc": (special.betainc, positive, positive, np.clip(positive / 10, 0, 1)),
        "stats.zscore": (stats.zscore, v),
        "stats.kurtosis": (stats.kurtosis, v),
        "stats.gmean": (stats.gmean, positive),
        "stats.iqr": (stats.iqr, v),
        "stats.entropy": (stats.entropy, positive),
        "stats.rankdata": (stats.rankdata, v),
        "stats.describe": (lambda x: tuple(stats.describe(x))[2:], v),
        "stats.quantile": (lambda x: stats.quantile(x, x[:3] * 0 + 0.3), v),
        "stats.circmean": (stats.circmean, v),
        "ndimage.gaussian_filter": (lambda x: ndimage.gaussian_filter(x, 1.0), image),
        "ndimage.distance_transform_edt": (lambda x: ndimage.distance_transform_edt(x > 0), image),
        "signal.lfilter_zi": (lambda b: signal.lfilter_zi(b, b), taps),
        "interpolate.RBFInterpolator": (lambda x, y: interpolate.RBFInterpolator(x, y)(x[:3] + 0.1), random(20, 2), random(20)),
        "ndimage.zoom": (lambda x: ndimage.zoom(x, 2), image),
        "ndimage.label": (lambda x: ndimage.label(x > 0)[0], image),
        "ndimage.fourier_gaussian": (lambda x: ndimage.fourier_gaussian(x, 1.0), image),
        "cluster.whiten": (vq.whiten, image),
        "cluster.vq": (lambda x: vq.vq(x, x[:3]), image),
        "cluster.linkage": (hierarchy.linkage, image),
        "integrate.trapezoid": (integrate.trapezoid, v),
        "integrate.simpson": (integrate.simpson, v),
        "integrate.cumulative_simpson": (integrate.cumulative_simpson, v),
        "integrate.tanhsinh": (lambda x: integrate.tanhsinh(lambda t: t**2, x * 0, x).integral, positive),
        "optimize.find_root": (lambda x: roots.find_root(lambda t, c: t**3 - c, (x * 0, x * 0 + 3), args=(x,)).x, positive),
        "differentiate.derivative": (lambda x: scipy.differentiate.derivative(lambda t: t**3, x).df, positive),
        "spatial.Rotation": (lambda x: Rotation.from_rotvec(x[:3]).as_matrix(), v),
    }
    one_sample = dict.fromkeys(("skewtest", "normaltest", "jarque_bera", "wilcoxon"), lambda x: (x,)) | {"ttest_1samp": lambda x: (x, 0.0)}
    for name in ("gammaln", "ndtr", "expit", "erf", "erfc", "i0", "i1e", "entr", "digamma", "log1p", "expm1", "sinc"):
        cases[f"special.{name}"] = (getattr(special, name), positive)
    for name in ("rel_entr", "xlogy", "gammainc", "gammaincc", "betaln", "stdtr"):
        cases[f"special.{name}"] = (getattr(special, name), positive + 1, np.abs(w) + 1)
    for name in ("ttest_1samp", "ttest_ind", "ttest_rel", "skewtest", "normaltest", "jarque_bera", "pearsonr", "spearmanr", "bartlett", "levene",
                 "f_oneway", "mannwhitneyu", "wilcoxon"):  # fmt: skip
        arguments = one_sample.get(name, lambda x: (x, x * x + 1))
        cases[f"stats.{name}"] = (lambda x, name=name, arguments=arguments: tuple(getattr(stats, name)(*arguments(x))), v)
    return cases


def sklearn_cases():
    """By name: a function of features, labels and targets, and those."""
    from sklearn import (
        discriminant_analysis,
        kernel_approximation,
        linear_model,
        metrics,
        mixture,
        model_selection,
        naive_bayes,
        pipeline,
        preprocessing,
    )
    from sklearn.decomposition import PCA

    x = random(60, 5)
    labels, target = (x[:, 0] + 0.3 * random(60) > 0).astype(int), x @ random(5) + 0.1
    probabilities = 1 / (1 + np.exp(-x[:, 0]))
    guesses, positive = (x[:, 1] > 0).astype(int), np.abs(target) + 0.1

    def pca(solver, **options):
        def fit(x):
            model = PCA(3, svd_solver=solver, random_state=0, **options)
            y = model.fit_transform(x)
            return y, model.explained_variance_, model.inverse_transform(model.transform(x)), model.get_covariance()

        return fit

    def predicting(model, *more):
        def fit(x, y):
            fitted = model.fit(x, y)
            return (fitted.predict(x), *(getattr(fitted, name)(x) for name in more))

        return fit

    cases = {
        "PCA full": (pca("full"), x),
        "PCA whitened": (pca("full", whiten=True), x),
        "PCA covariance": (pca("covariance_eigh"), x),
        "PCA randomized": (pca("randomized", power_iteration_normalizer="QR"), x),
        "LinearDiscriminantAnalysis": (
            predicting(discriminant_analysis.LinearDiscriminantAnalysis(), "predict_proba", "transform"), x, labels,
        ),
        "Ridge": (predicting(linear_model.Ridge(solver="svd")), x, target),
        "RidgeCV": (predicting(linear_model.RidgeCV()), x, target),
        "RidgeClassifier": (predicting(linear_model.RidgeClassifier(solver="svd")), x, labels),
        "GaussianNB": (predicting(naive_bayes.GaussianNB(), "predict_proba"), x, labels),
        "GaussianMixture": (
            lambda x: mixture.GaussianMixture(2, init_params="random_from_data", random_state=0).fit(x).means_, x,
        ),
        "Nystroem": (lambda x: kernel_approximation.Nystroem(n_components=5, random_state=0).fit_transform(x), x),
        "a pipeline": (lambda x: pipeline.make_pipeline(preprocessing.StandardScaler(), PCA(2, svd_solver="full")).fit_transform(x), x),
        "train_test_split": (lambda x, y: tuple(model_selection.train_test_split(x, y, random_state=0)), x, labels),
        "LabelEncoder": (lambda y: preprocessing.LabelEncoder().fit_transform(y), labels),
        "fbeta_score": (lambda y, p: metrics.fbeta_score(y, p, beta=0.5), labels, guesses),
    }  # fmt: skip
    for name in ("StandardScaler", "MinMaxScaler", "MaxAbsScaler", "Normalizer", "Binarizer", "PolynomialFeatures"):
        cases[name] = (getattr(preprocessing, name)().fit_transform, x)
    for name in ("accuracy_score", "balanced_accuracy_score", "confusion_matrix", "f1_score", "precision_score", "recall_score", "jaccard_score",
                 "hamming_loss", "zero_one_loss"):  # fmt: skip
        cases[name] = (getattr(metrics, name), labels, guesses)
    for name in ("log_loss", "brier_score_loss", "precision_recall_curve", "average_precision_score"):
        cases[name] = (getattr(metrics, name), labels, probabilities)
    for name in ("mean_absolute_error", "mean_squared_error", "r2_score", "explained_variance_score", "max_error", "median_absolute_error",
                 "mean_poisson_deviance", "mean_pinball_loss"):  # fmt: skip
        cases[name] = (getattr(metrics, name), positive, positive * 1.1 + 0.2)
    for name in ("euclidean_distances", "cosine_similarity", "linear_kernel", "polynomial_kernel", "rbf_kernel", "chi2_kernel",
                 "paired_euclidean_distances", "manhattan_distances"):  # fmt: skip
        cases[name] = (lambda a, name=name: getattr(metrics.pairwise, name)(a, a), np.abs(x))
    return cases


def check(cases):
    """Complaints about cases whose results on tensors, or on arrays, are no tensors or differ from those on NumPy arrays."""
    import runtime
    import runtime.array_api as xp

    complaints = []
    for name, (function, *values) in cases.items():
        wanted = function(*values)
        for convert in (runtime.tensor, xp.asarray):
            try:
                found = function(*[convert(value.copy()) for value in values])
            except Exception as error:
                complaints.append(f"{name}: {type(error).__name__}: {error}")
                continue
            pairs = zip(wanted, found, strict=True) if isinstance(wanted, tuple) else [(wanted, found)]
            for want, got in pairs:
                if isinstance(want, np.ndarray) and not isinstance(got, runtime.Tensor):
                    complaints.append(f"{name}: a {type(got).__name__}")
                elif np.shape(want) != np.shape(got) or not np.allclose(np.asarray(want), np.asarray(got), rtol=1e-4, atol=1e-6, equal_nan=True):
                    complaints.append(f"{name}: {got}, where NumPy has {want}")
    return complaints


def results_of(library):
    environment = os.environ | {"SCIPY_ARRAY_API": "1"}
    folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [folder, os.environ.get("PYTHONPATH")]))
    return subprocess.run([sys.executable, __file__, library], env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.parametrize("library", ["scipy", "sklearn"])
def test_a_library_finds_on_tensors_what_it_finds_on_numpy_arrays(library):
    pytest.importorskip(library)
    result = results_of(library)
    assert result.returncode == 0, result.stdout + result.stderr


def test_scipy_transforms_tensors():
    result = results_of("fft")
    assert result.returncode == 0, result.stdout + result.stderr


def fft_cases():
    import scipy.fft as fft

    return {name: (getattr(fft, name), random(16)) for name in ("fft", "rfft", "dct")}


def main(library):
    warnings.simplefilter("ignore")
    if library == "sklearn":
        from sklearn import config_context

        with config_context(array_api_dispatch=True):
            complaints = check(sklearn_cases())
    else:
        complaints = check(scipy_cases() if library == "scipy" else fft_cases())
    print(*complaints, sep="\n")
    return bool(complaints)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
