#!/usr/bin/env python3
"""Trains small tree and linear models and writes them with their predictions, for the importers' tests.

    tree-tests.py FOLDER
    KNAPSACK_TREE_TESTS=FOLDER swift test -c release --filter TreeModelTests

Needs xgboost (or xgboost-cpu), lightgbm, scikit-learn, skl2onnx, onnxmltools, safetensors. The data are
those that scikit-learn brings along. Each case becomes FOLDER/LIBRARY/NAME/model.EXTENSION and
io.safetensors (keys input.X and output.NAME); predictions are the library's own.
"""

import json
import sys
import warnings
from pathlib import Path

import numpy
from safetensors.numpy import save_file
from sklearn import datasets

ROWS = 120
random = numpy.random.default_rng(7)


def load(name):
    x, y = getattr(datasets, "load_" + name)(return_X_y=True)
    return x.astype(numpy.float32), y


def with_gaps(x, share=0.15):
    x = x.copy()
    x[random.random(x.shape) < share] = numpy.nan
    return x


def with_categories(rows=600):
    """Two columns of categories, the second with many and with gaps, and two of numbers."""
    x = random.normal(size=(rows, 4)).astype(numpy.float32)
    x[:, 0] = random.integers(0, 5, rows)
    x[:, 1] = random.integers(0, 70, rows)
    y = numpy.sin(x[:, 1] * 2.3) + (x[:, 0] == 3) + x[:, 2] * x[:, 3]
    x[random.random(rows) < 0.1, 1] = numpy.nan
    x[random.random(rows) < 0.1, 2] = numpy.nan
    return x, y


def with_zeros():
    x, y = load("digits")
    x = x[:, 20:40].copy()
    x[random.random(x.shape) < 0.05] = numpy.nan
    return x, y


def save(folder, name, x, outputs):
    tensors = {"input.X": numpy.ascontiguousarray(x)}
    for key, value in outputs.items():
        tensors["output." + key] = numpy.ascontiguousarray(value)
    save_file(tensors, folder / name / "io.safetensors")


# MARK: XGBoost


def xgboost_cases():
    diabetes, cancer, iris, wine = map(load, ["diabetes", "breast_cancer", "iris", "wine"])
    digits, linnerud = load("digits"), load("linnerud")
    gaps = (with_gaps(cancer[0]), cancer[1])
    categories = with_categories()
    above = (diabetes[0], (diabetes[1] > 140).astype(float))
    three = {"num_class": 3}
    yield "squared", diabetes, {"objective": "reg:squarederror", "max_depth": 3}
    yield "squared-log", diabetes, {"objective": "reg:squaredlogerror", "max_depth": 3}
    yield "pseudo-huber", diabetes, {"objective": "reg:pseudohubererror", "huber_slope": 30}
    yield "absolute", diabetes, {"objective": "reg:absoluteerror", "max_depth": 5}
    yield "quantiles", diabetes, {
        "objective": "reg:quantileerror", "quantile_alpha": [0.1, 0.5, 0.9]}
    yield "gamma", diabetes, {"objective": "reg:gamma"}
    yield "tweedie", diabetes, {"objective": "reg:tweedie", "base_score": 120}
    yield "poisson", diabetes, {"objective": "count:poisson", "max_depth": 2}
    yield "reg-logistic", above, {"objective": "reg:logistic", "base_score": 0.3}
    yield "logistic-gaps", gaps, {"objective": "binary:logistic", "max_depth": 4}
    yield "logit-raw", gaps, {"objective": "binary:logitraw"}
    yield "hinge", gaps, {"objective": "binary:hinge"}
    yield "softprob", iris, {"objective": "multi:softprob"} | three
    yield "softmax", wine, {"objective": "multi:softmax"} | three
    yield "forest", digits, {
        "objective": "multi:softprob", "num_class": 10, "num_parallel_tree": 3, "subsample": 0.6,
        "colsample_bynode": 0.5}
    yield "rank", above, {"objective": "rank:ndcg", "group": True}
    yield "rank-pairs", above, {"objective": "rank:pairwise", "group": True}
    yield "cox", diabetes, {"objective": "survival:cox"}
    yield "aft", diabetes, {"objective": "survival:aft", "bounds": True}
    yield "dart", gaps, {"booster": "dart", "objective": "binary:logistic", "rate_drop": 0.4}
    yield "dart-classes", wine, {"booster": "dart", "rate_drop": 0.4, "objective": "multi:softprob"} | three
    yield "linear", diabetes, {"booster": "gblinear"}
    yield "linear-classes", with_gaps_of(iris), {
        "booster": "gblinear", "objective": "multi:softprob"} | three
    yield "categories", categories, {"max_cat_to_onehot": 4, "types": ["c", "c", "q", "q"]}
    yield "one-hot-categories", categories, {"max_cat_to_onehot": 99, "types": ["c", "c", "q", "q"]}
    yield "targets", linnerud, {"tree_method": "hist"}
    yield "vector-leaves", linnerud, {"tree_method": "hist", "multi_strategy": "multi_output_tree"}
    yield "deep", digits, {
        "objective": "multi:softmax", "num_class": 10, "grow_policy": "lossguide", "max_leaves": 200,
        "max_depth": 0, "min_child_weight": 0}


def with_gaps_of(data):
    return with_gaps(data[0]), data[1]


def write_xgboost(folder):
    import xgboost

    for i, (name, (x, y), parameters) in enumerate(xgboost_cases()):
        types = parameters.pop("types", None)
        table = dict(feature_types=types, enable_categorical=types is not None)
        matrix = xgboost.DMatrix(x, y, **table)
        if parameters.pop("group", False):
            matrix.set_group([len(y) // 2, len(y) - len(y) // 2])
        if parameters.pop("bounds", False):
            matrix = xgboost.DMatrix(x)
            matrix.set_float_info("label_lower_bound", y)
            matrix.set_float_info("label_upper_bound", y + 10)
        booster = xgboost.train({"seed": 1, "nthread": 2, "max_depth": 4} | parameters, matrix, 12)
        given = x[:ROWS].copy()
        if types:
            # Categories that training never met.
            given[:4, 1] = [71, 200, 5000, 69]
        (folder / name).mkdir(parents=True, exist_ok=True)
        booster.save_model(folder / name / ("model.ubj" if i % 2 else "model.json"))
        prediction = booster.predict(xgboost.DMatrix(given, **table))
        save(folder, name, given, {"prediction": prediction.astype(numpy.float32)})


# MARK: LightGBM


def lightgbm_cases():
    diabetes, cancer, iris, wine = map(load, ["diabetes", "breast_cancer", "iris", "wine"])
    gaps = (with_gaps(cancer[0]), cancer[1])
    share = (cancer[0], numpy.clip(cancer[1] * 0.8 + 0.1, 0, 1))
    above = (diabetes[0], (diabetes[1] > 140).astype(int))
    categories = with_categories()
    bagging = {"bagging_freq": 1, "bagging_fraction": 0.6, "feature_fraction": 0.7}
    for objective in ["regression", "regression_l1", "huber", "fair", "poisson", "quantile", "mape",
                      "gamma", "tweedie"]:
        yield objective, diabetes, {"objective": objective}
    yield "square-root", diabetes, {"objective": "regression", "reg_sqrt": True}
    yield "binary-gaps", gaps, {"objective": "binary"}
    yield "binary-sigmoid", gaps, {"objective": "binary", "sigmoid": 2.5, "is_unbalance": True}
    yield "no-missing", gaps, {"objective": "binary", "use_missing": False}
    yield "zero-is-missing", with_zeros(), {
        "objective": "multiclass", "num_class": 10, "zero_as_missing": True}
    yield "multiclass", iris, {"objective": "multiclass", "num_class": 3}
    yield "one-against-all", wine, {"objective": "multiclassova", "num_class": 3, "sigmoid": 1.5}
    yield "cross-entropy", share, {"objective": "cross_entropy"}
    yield "cross-entropy-lambda", share, {"objective": "cross_entropy_lambda"}
    yield "lambdarank", above, {"objective": "lambdarank", "group": True}
    yield "forest", diabetes, {"objective": "regression", "boosting": "rf"} | bagging
    yield "forest-binary", gaps, {"objective": "binary", "boosting": "rf"} | bagging
    yield "forest-classes", wine, {
        "objective": "multiclass", "num_class": 3, "boosting": "rf"} | bagging
    yield "dart", gaps, {"objective": "binary", "boosting": "dart", "drop_rate": 0.5}
    yield "goss", diabetes, {"objective": "regression", "data_sample_strategy": "goss"}
    yield "categories", categories, {
        "objective": "regression", "categories": [0, 1], "min_data_per_group": 5, "cat_smooth": 1}
    yield "one-hot-categories", categories, {
        "objective": "regression", "categories": [0, 1], "max_cat_to_onehot": 100}
    yield "extra-trees", diabetes, {"objective": "regression", "extra_trees": True, "max_depth": 4}
    yield "stumps", (random.normal(size=(40, 3)).astype(numpy.float32), numpy.ones(40)), {
        "objective": "regression"}


def write_lightgbm(folder):
    import lightgbm

    for name, (x, y), parameters in lightgbm_cases():
        group = [len(y) // 2, len(y) - len(y) // 2] if parameters.pop("group", False) else None
        categories = parameters.pop("categories", "auto")
        data = lightgbm.Dataset(x, y, group=group, categorical_feature=categories)
        booster = lightgbm.train(
            {"verbosity": -1, "num_leaves": 15, "num_threads": 2, "seed": 1, "min_data_in_leaf": 5}
            | parameters, data, 12)
        given = x[:ROWS].astype(numpy.float64)
        if name.endswith("categories"):
            given[:5, 1] = [71, -1, 5000, 3.7, 1e12]
        (folder / name).mkdir(parents=True, exist_ok=True)
        booster.save_model(folder / name / "model.txt")
        save(folder, name, given, {"prediction": booster.predict(given)})


# MARK: scikit-learn, XGBoost and LightGBM through ONNX


def sklearn_cases():
    from sklearn import ensemble, linear_model, naive_bayes, neural_network, pipeline, preprocessing
    from sklearn import decomposition, impute, svm, tree

    diabetes, cancer, iris, wine = map(load, ["diabetes", "breast_cancer", "iris", "wine"])
    digits, linnerud = load("digits"), load("linnerud")
    scaled = (preprocessing.scale(wine[0]).astype(numpy.float32), wine[1])
    two = (scaled[0][:130], scaled[1][:130])
    seed = {"random_state": 1}
    small = seed | {"n_estimators": 8}
    chain = pipeline.make_pipeline
    scaler = preprocessing.StandardScaler
    yield "tree", iris, tree.DecisionTreeClassifier(**seed)
    yield "tree-regression", diabetes, tree.DecisionTreeRegressor(max_depth=6, **seed)
    yield "forest", wine, ensemble.RandomForestClassifier(**small)
    yield "forest-binary", cancer, ensemble.RandomForestClassifier(max_depth=5, **small)
    yield "forest-digits", digits, ensemble.RandomForestClassifier(**small)
    yield "forest-regression", diabetes, ensemble.RandomForestRegressor(**small)
    yield "forest-targets", linnerud, ensemble.RandomForestRegressor(max_depth=4, **small)
    yield "extra-trees", wine, ensemble.ExtraTreesClassifier(**small)
    yield "boosting-binary", cancer, ensemble.GradientBoostingClassifier(**small)
    yield "boosting-classes", iris, ensemble.GradientBoostingClassifier(**small)
    yield "boosting-regression", diabetes, ensemble.GradientBoostingRegressor(**small)
    yield "histogram-binary", with_gaps_of(cancer), ensemble.HistGradientBoostingClassifier(
        max_iter=10)
    yield "histogram-classes", with_gaps_of(iris), ensemble.HistGradientBoostingClassifier(
        max_iter=10)
    yield "histogram-regression", with_gaps_of(diabetes), ensemble.HistGradientBoostingRegressor(
        max_iter=10)
    yield "adaboost", iris, ensemble.AdaBoostClassifier(**small)
    yield "bagging", wine, ensemble.BaggingClassifier(**small)
    yield "isolation-forest", scaled, ensemble.IsolationForest(**small)
    yield "logistic", scaled, linear_model.LogisticRegression()
    yield "logistic-binary", two, linear_model.LogisticRegression()
    yield "logistic-pipeline", digits, chain(
        preprocessing.MinMaxScaler(), linear_model.LogisticRegression())
    yield "ridge", diabetes, linear_model.Ridge()
    yield "ridge-targets", linnerud, chain(scaler(), linear_model.Ridge())
    yield "support-vectors", scaled, svm.SVC(probability=True, **seed)
    yield "support-vectors-binary", two, svm.SVC(kernel="poly", degree=2)
    yield "support-vectors-votes", scaled, svm.SVC(decision_function_shape="ovr")
    yield "support-vectors-linear", two, svm.SVC(kernel="linear", probability=True, **seed)
    yield "support-vectors-regression", (scaled[0], wine[1] * 1.5), svm.SVR(C=3)
    yield "support-vectors-sigmoid", (scaled[0], wine[1] * 1.5), svm.NuSVR(kernel="sigmoid")
    yield "linear-svc", scaled, svm.LinearSVC()
    yield "perceptrons", scaled, neural_network.MLPClassifier([8], max_iter=60, **seed)
    yield "bayes", scaled, naive_bayes.GaussianNB()
    yield "imputed", with_gaps_of(scaled), chain(
        impute.SimpleImputer(strategy="median"), scaler(), ensemble.RandomForestClassifier(**small))
    yield "normalized", wine, chain(
        preprocessing.Normalizer("l1"), preprocessing.Binarizer(threshold=0.1),
        linear_model.LogisticRegression())
    yield "components", wine, chain(
        preprocessing.RobustScaler(), decomposition.PCA(4), linear_model.LogisticRegression())
    yield "polynomial", iris, chain(
        preprocessing.PolynomialFeatures(2), scaler(), linear_model.LogisticRegression())
    yield "one-hot", (numpy.round(iris[0]), iris[1]), chain(
        preprocessing.OneHotEncoder(handle_unknown="ignore", sparse_output=False),
        linear_model.LogisticRegression())
    yield "discretized", iris, chain(
        preprocessing.KBinsDiscretizer(4, encode="ordinal", strategy="uniform"),
        linear_model.LogisticRegression())


def boosted_cases():
    import lightgbm
    import xgboost

    cancer, iris, diabetes = map(load, ["breast_cancer", "iris", "diabetes"])
    small = {"n_estimators": 8, "random_state": 1}
    yield "xgboost-binary", with_gaps_of(cancer), xgboost.XGBClassifier(**small)
    yield "xgboost-classes", iris, xgboost.XGBClassifier(**small)
    yield "xgboost-regression", diabetes, xgboost.XGBRegressor(**small)
    yield "lightgbm-binary", with_gaps_of(cancer), lightgbm.LGBMClassifier(verbosity=-1, **small)
    yield "lightgbm-classes", iris, lightgbm.LGBMClassifier(verbosity=-1, **small)
    yield "lightgbm-regression", diabetes, lightgbm.LGBMRegressor(verbosity=-1, **small)


def predictions(model, x, outputs):
    """What the library itself says, under the names of the ONNX model's outputs."""
    if len(outputs) == 1:
        return {outputs[0]: model.predict(x).astype(numpy.float32)}
    scores = "score_samples" if hasattr(model, "score_samples") else "decision_function"
    if hasattr(model, "predict_proba"):
        scores = "predict_proba"
    values = getattr(model, scores)(x).astype(numpy.float32)
    if scores == "score_samples":
        values = model.decision_function(x).astype(numpy.float32)
    elif values.ndim == 1 and scores == "decision_function":
        # Exports give both classes a score.
        values = numpy.stack([-values, values], axis=1)
    return {outputs[0]: model.predict(x).astype(numpy.int64), outputs[1]: values}


def take_booleans():
    """skl2onnx gives booleans where integers belong, which this onnx refuses."""
    from skl2onnx.common import _container

    make_node = _container.make_node

    def whole(value):
        if isinstance(value, (list, numpy.ndarray)) and len(value) > 0:
            if any(isinstance(v, (bool, numpy.bool_)) for v in value):
                return [int(v) for v in value]
        return value

    _container.make_node = lambda *a, **k: make_node(*a, **{n: whole(v) for n, v in k.items()})


def write_converted(folder):
    import onnxmltools
    from onnxmltools.convert.common.data_types import FloatTensorType
    from skl2onnx import to_onnx

    take_booleans()
    for name, (x, y), model in sklearn_cases():
        model.fit(x, y)
        given = x[:ROWS]
        # Every other classifier keeps the maps that exports end with by default.
        options = {"zipmap": False} if hasattr(model, "predict_proba") else None
        converted = to_onnx(
            model, given[:1], options=options and {id(model): options},
            target_opset={"": 18, "ai.onnx.ml": 3})
        write_onnx(folder, name, model, converted, given)
    for name, (x, y), model in boosted_cases():
        model.fit(x, y)
        kind = "xgboost" if name.startswith("xgboost") else "lightgbm"
        converted = getattr(onnxmltools, "convert_" + kind)(
            model, initial_types=[("X", FloatTensorType([None, x.shape[1]]))], target_opset=15)
        write_onnx(folder, name, model, converted, x[:ROWS])


def write_onnx(folder, name, model, converted, given):
    import onnxruntime

    outputs = [o.name for o in converted.graph.output]
    (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / name / "model.onnx").write_bytes(converted.SerializeToString())
    expected = predictions(model, given, outputs)
    if name in ENGINE:
        # What the export means is what the engine says.
        session = onnxruntime.InferenceSession(converted.SerializeToString())
        found = session.run(outputs, {session.get_inputs()[0].name: given})
        for key, value in zip(outputs, found):
            if isinstance(value, list):
                value = numpy.array([list(row.values()) for row in value], numpy.float32)
            expected[key] = value
    save(folder, name, given, expected)


# Exports that give other scores than their model by design: here the sign is the other class's.
ENGINE = {"support-vectors-binary"}


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__.strip())
    warnings.simplefilter("ignore")
    root = Path(sys.argv[1])
    write_xgboost(root / "xgboost")
    write_lightgbm(root / "lightgbm")
    write_converted(root / "sklearn")
    print({p.name: len(list(p.iterdir())) for p in sorted(root.iterdir())})


if __name__ == "__main__":
    main()
