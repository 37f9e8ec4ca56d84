# /// script
# requires-python = "==3.11.*"
# dependencies = [
#   "annotated-doc==0.0.5",
#   "anyio==4.16.0",
#   "click==8.5.0",
#   "cloudpickle==3.1.2",
#   "filelock==4.2.6",
#   "fsspec==2026.9.0",
#   "h11==0.16.0",
#   "hf-xet==1.8.0",
#   "httpcore2==2.16.0",
#   "httpx2==2.16.0",
#   "huggingface-hub==2.4.0",
#   "idna==3.20",
#   "jinja2==3.1.6",
#   "joblib==1.6.0",
#   "markdown-it-py==4.2.0",
#   "markupsafe==3.0.4",
#   "mdurl==0.1.2",
#   "mpmath==1.3.0",
#   "narwhals==2.28.0",
#   "networkx==3.6.1",
#   "numpy==1.26.2",
#   "openvino==2024.6.0",
#   "openvino-telemetry==2025.2.0",
#   "packaging==26.3",
#   "pygments==2.21.0",
#   "pyyaml==6.0.3",
#   "regex==2026.9.29",
#   "rich==15.0.0",
#   "safetensors==0.8.0",
#   "scikit-learn==1.9.1",
#   "scipy==1.16.3",
#   "sentence-transformers==6.2.0",
#   "setuptools==84.2.1",
#   "shellingham==1.5.4",
#   "sympy==1.14.0",
#   "threadpoolctl==3.7.0",
#   "tokenizers==0.23.3",
#   "torch==2.13.0",
#   "tqdm==4.70.1",
#   "transformers==5.22.1",
#   "truststore==0.10.5",
#   "typer==0.27.3",
#   "typing-extensions==4.16.0",
# ]
# ///
"""The vectors of the service are those of the baseline: not with openvino 2024.6.0, numpy 1.26.2,
sentence-transformers 6.2.0.

The exit code is 1 as long as it fails, 0 once it does not, 2 if it cannot be tried.
"""

import argparse
import inspect
import sys
from importlib.metadata import PackageNotFoundError, version
from math import isnan
from types import SimpleNamespace

import numpy as np

PACKAGES = ("numpy", "torch", "openvino", "sentence-transformers", "transformers", "tokenizers")
ALLOWED = 1e-05
UNIT = "distance"
MODEL = "sentence-transformers/all-MiniLM-L6-v2"
OUTPUT = "float32"
EXPECTED = {
    "counting sheep: one two three four five six seven eight nine ten counting sheep: one two three four five six seven eight nine ten counting sheep: one two three four five six seven eight nine ten counting sheep: one two three four five six seven eight nine ten counting sheep: one two three four five six seven eight nine ten counting sheep: one two three four five six seven eight nine ten counting sheep: one two three four five six seven eight nine ten counting sheep: one two three four five six seven eight nine ten counting sheep: one two three four five six seven eight nine ten counting sheep: one two three four five six seven eight nine ten counting sheep: one two three four five six seven eight nine ten counting sheep: one two three four five six seven eight nine ten counting sheep: one two three four five six seven eight nine ten counting sheep: one two three four five six seven eight nine ten counting sheep: one two three four five six seven eight nine ten counting sheep: one two three four five six seven eight nine ten counting sheep: one two three four five six seven eight nine ten counting sheep: one two three four five six seven eight nine ten counting sheep: one two three four five six seven eight nine ten counting sheep: one two three four five six seven eight nine ten counting sheep: one two three four five six seven eight nine ten counting sheep: one two three four five six seven eight nine ten counting sheep: one two three four five six seven eight nine ten counting sheep: one two three four five six seven eight nine ten": [
        -0.036324046552181244, -0.00727723678573966, 0.030377758666872978, 0.01473393663764,
        -0.029174435883760452, 0.05714818090200424, 0.011576047167181969, -0.021697472780942917,
        -0.020093677565455437, 0.01568927988409996, 0.02692299336194992, -0.01390073448419571,
        0.0012218739138916135, -0.01021708082407713, -0.016052260994911194, 0.002024739980697632,
        -0.05634157732129097, 0.0057984632439911366, -0.030902398750185966, -0.09704180061817169,
        0.08053911477327347, -0.02024800516664982, -0.01497243158519268, 0.00980116706341505,
        0.0036863312125205994, -0.058459971100091934, -0.07681188732385635, -0.028413454070687294,
        -0.02853097766637802, -0.03288552537560463, 0.006901440676301718, 0.033649951219558716,
        0.06997879594564438, 0.07526642829179764, -0.059648387134075165, 0.017184864729642868,
        0.08655668795108795, 0.007207334041595459, 0.05183757096529007, 0.03058350645005703,
        0.023635011166334152, -0.07572246342897415, 0.010864721611142159, -0.04171406477689743,
        0.05013103038072586, 0.032780442386865616, 0.007108311168849468, -0.022463547065854073,
        -0.023311199620366096, -0.01020768377929926, -0.11401403695344925, 0.060680240392684937,
        0.11918208748102188, -0.02827206440269947, 0.015315033495426178, -0.07519326359033585,
        0.02014950104057789, -0.1020989641547203, -0.018182028084993362, -0.01706654019653797,
        -0.04140503332018852, 0.07648809254169464, 0.005782570224255323, -0.008548072539269924,
        -0.03521232306957245, 0.020871886983513832, -0.02852122113108635, -0.00743746105581522,
        -0.06390892714262009, 0.02761523239314556, 0.06379745900630951, 0.03531838580965996,
        0.039753127843141556, 0.03582040220499039, -0.027425549924373627, -0.025957336649298668,
        0.04201124981045723, -0.10134251415729523, 0.02342594787478447, 0.034882139414548874,
        -0.054413244128227234, -0.02190026454627514, -0.016034312546253204, -0.020589515566825867,
        -0.06319630891084671, -0.08250759541988373, -0.012613270431756973, 0.039468519389629364,
        -0.0429205447435379, -0.06961426138877869, -0.050057314336299896, 0.010190457105636597,
        -0.0681815966963768, 0.07292620837688446, 0.025731176137924194, 0.018908148631453514,
        0.03399152681231499, -0.03440200909972191, 0.013598567806184292, 0.04352213069796562,
        0.012312584556639194, 0.04599446803331375, 0.011757136322557926, -0.08210615813732147,
        -0.02932227961719036, -0.026722975075244904, 0.045721616595983505, 0.09002944082021713,
        0.0006863254820927978, -0.09138277173042297, -0.009355319663882256, -0.07204332202672958,
        -0.009086723439395428, 0.11191045492887497, -0.015240001492202282, -0.06535604596138,
        0.034493934363126755, -0.012616871856153011, 0.01463343482464552, 0.08701466023921967,
        0.07433590292930603, 0.1149069219827652, 0.05866214260458946, 0.004604197107255459,
        -0.004969851579517126, 0.04966708645224571, 0.03487288951873779, 2.7375846959958335e-32,
        -0.08039677143096924, -0.03386865183711052, 0.014703505672514439, -0.09505442529916763,
        0.07183823734521866, -0.11876038461923599, -0.0038136683870106936, -0.04898720607161522,
        -0.011430834420025349, 0.0433824360370636, 0.03643963485956192, -0.08761588484048843,
        0.0408296212553978, 0.08002618700265884, -0.026393814012408257, -0.05834027752280235,
        -0.04225076735019684, -0.04119987413287163, 0.0435846708714962, 0.002357880352064967,
        -0.011070421896874905, -0.011341813020408154, 0.06296434998512268, -0.024178629741072655,
        -0.043921299278736115, 0.04004054144024849, 0.04201282188296318, -0.027278395369648933,
        -0.002764214063063264, 0.05979672074317932, 0.025952167809009552, -0.002305391477420926,
        -0.00478220684453845, -0.15661495923995972, -0.04834720119833946, -0.05524519830942154,
        -0.01165356207638979, -0.015544412657618523, 0.001295071910135448, 0.05774739384651184,
        0.10946643352508545, -0.058162394911050797, 0.036901555955410004, -0.00857631117105484,
        0.017204754054546356, 0.03746436908841133, 0.05684596672654152, 0.05064358562231064,
        -0.012347850017249584, -0.01690802164375782, -0.034307390451431274, 0.015676559880375862,
        -0.031348779797554016, -0.07662560045719147, 0.04283764213323593, -0.0359332412481308,
        0.02718723565340042, -0.004590762313455343, -0.019441869109869003, 0.04320507496595383,
        0.017865410074591637, 0.009966118261218071, -0.057259321212768555, 0.03007943369448185,
        0.024802137166261673, -0.10765685141086578, 0.042438358068466187, -0.03258714824914932,
        -0.018897751346230507, -0.014904542826116085, -0.05467952787876129, -0.0453764908015728,
        -0.022071190178394318, -0.03763426095247269, -0.02170473337173462, 0.009203518740832806,
        0.09314659982919693, -0.0729396641254425, -0.0104264747351408, -0.06622232496738434,
        0.041148457676172256, 0.0005804331740364432, 0.04447292909026146, -0.009424610063433647,
        0.027329513803124428, -0.04182037338614464, -0.062164150178432465, 0.009046425111591816,
        -0.05669287219643593, -0.1254098266363144, 0.027476796880364418, -0.04561365768313408,
        0.03181513771414757, -0.12994536757469177, -0.015109171159565449, -2.7822085186681615e-32,
        -0.10068634897470474, 0.11035198718309402, 0.05502527207136154, 0.025192610919475555,
        -0.018955552950501442, -0.057673510164022446, 0.10469529777765274, 0.04408368095755577,
        0.033107563853263855, 0.04513362795114517, -0.018033239990472794, -0.04648447781801224,
        0.04089375585317612, -0.041117988526821136, 0.07400882244110107, 0.02692495658993721,
        0.001263339538127184, 0.03363611549139023, 0.08423995226621628, -0.051777686923742294,
        -0.006861369125545025, 0.03676324710249901, 0.007857623510062695, 0.043347522616386414,
        0.007487165275961161, 0.02410455420613289, 0.02137991413474083, -0.01897139474749565,
        0.025755755603313446, -0.09773875027894974, 0.021066242828965187, -0.15622933208942413,
        0.03237265348434448, -0.11218000948429108, 0.017994850873947144, -0.005175044294446707,
        -0.024056775495409966, -0.05271269008517265, -0.058045629411935806, 0.048672933131456375,
        0.09994488954544067, -0.04563822224736214, -0.006769432686269283, -0.03308292478322983,
        -0.0565108060836792, 0.03960081934928894, -0.008883301168680191, 0.055350519716739655,
        -0.029944807291030884, 0.020165788009762764, 0.0015241808723658323, 0.09555330872535706,
        0.023736068978905678, -0.017086869105696678, 0.10079489648342133, -0.0698729082942009,
        0.020913532003760338, -0.02103610709309578, -0.016803184524178505, -0.047109898179769516,
        -0.022085441276431084, 0.028871700167655945, 0.030723126605153084, -0.0016514502931386232,
        0.07709167897701263, -0.06853681057691574, -0.035860780626535416, -0.02644348330795765,
        -0.08206158131361008, 0.03011755831539631, -0.06724130362272263, -0.016993053257465363,
        -0.0925423875451088, -0.07737212628126144, -0.07785163074731827, 0.03441127389669418,
        -0.011952538974583149, 0.012895634397864342, -0.017117781564593315, 0.03126783296465874,
        -0.058572545647621155, -0.11711432784795761, 0.0416870191693306, 0.023342693224549294,
        -0.032920949161052704, -0.06045909970998764, 0.07566036283969879, 0.13455283641815186,
        0.05279085040092468, -0.006229863967746496, 0.015789097175002098, 0.037315502762794495,
        0.04591486603021622, -0.0508614182472229, 0.016592107713222504, -7.771787124966067e-08,
        -0.008852081373333931, -0.08382634073495865, -0.017958516255021095, -0.05201410502195358,
        0.02693779394030571, 0.011688348837196827, -0.00830430630594492, 0.013182725757360458,
        -0.022994089871644974, -0.04157167673110962, 0.07194872945547104, 0.047828514128923416,
        0.03292089328169823, 0.01233051996678114, -0.04746795445680618, 0.005244860891252756,
        0.006384775508195162, -0.012221078388392925, 0.04246945679187775, -0.004200042691081762,
        -0.04706030711531639, -0.0975571870803833, -0.031124284490942955, 0.007095646113157272,
        -0.05222081393003464, -0.035872966051101685, -0.11390520632266998, 0.05790489539504051,
        0.0020124446600675583, -0.018393617123365402, 0.07668865472078323, -0.02465939149260521,
        -0.056375712156295776, -0.06090587377548218, -0.0037371926009655, -0.03645757585763931,
        -0.13233329355716705, 0.022146496921777725, 0.02246180735528469, -0.09919121861457825,
        -0.029247300699353218, 0.02853998914361, 0.008815151639282703, 0.055871326476335526,
        0.040239010006189346, -0.01692040264606476, -0.06823639571666718, 0.005152537953108549,
        0.0009833627846091986, -0.05623973533511162, -0.11654047667980194, -0.014426028355956078,
        0.024453094229102135, -0.022160716354846954, 0.024331197142601013, 0.026304112747311592,
        -0.04812077805399895, -0.06387361884117126, 0.0001640263944864273, 0.018311310559511185,
        0.12154743075370789, -0.011666004545986652, -0.07072268426418304, -0.019802656024694443,
    ],
}
INPUT = [
    "counting sheep: one two three four five six seven eight nine ten counting sheep: one two three four five six seven eight nine ten counting sheep: one two three four five six seven eight nine ten counting sheep: one two three four five six seven eight nine ten counting sheep: one two three four five six seven eight nine ten counting sheep: one two three four five six seven eight nine ten counting sheep: one two three four five six seven eight nine ten counting sheep: one two three four five six seven eight nine ten counting sheep: one two three four five six seven eight nine ten counting sheep: one two three four five six seven eight nine ten counting sheep: one two three four five six seven eight nine ten counting sheep: one two three four five six seven eight nine ten counting sheep: one two three four five six seven eight nine ten counting sheep: one two three four five six seven eight nine ten counting sheep: one two three four five six seven eight nine ten counting sheep: one two three four five six seven eight nine ten counting sheep: one two three four five six seven eight nine ten counting sheep: one two three four five six seven eight nine ten counting sheep: one two three four five six seven eight nine ten counting sheep: one two three four five six seven eight nine ten counting sheep: one two three four five six seven eight nine ten counting sheep: one two three four five six seven eight nine ten counting sheep: one two three four five six seven eight nine ten counting sheep: one two three four five six seven eight nine ten",
]


def normalize(rows):
    """Divide each row by its norm, with zero norms replaced by one."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(norms == 0, 1, norms)


def load(arguments):
    """A sentence-transformers model in both runtimes: OpenVINO on the CPU in float32, and torch."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--model",
        default=MODEL,
        required=MODEL is None,
        help="folder or name of the model (default: %(default)s)",
    )
    options = parser.parse_args(arguments)

    import openvino as ov
    import torch
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(options.model, device="cpu").eval()
    transformer = model[0].auto_model
    accepted = inspect.signature(transformer.forward).parameters

    class LastHiddenState(torch.nn.Module):
        def forward(self, input_ids, attention_mask, token_type_ids=None):
            more = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
            return (
                model[0]
                .auto_model(input_ids=input_ids, attention_mask=attention_mask, return_dict=True, **more)
                .last_hidden_state
            )

    def tokenize(texts):
        features = (getattr(model, "preprocess", None) or model.tokenize)(list(texts))
        names = ("input_ids", "attention_mask", "token_type_ids")
        return {name: features[name] for name in names if name in features and name in accepted}

    module = LastHiddenState()
    module.transformer = transformer
    example = tokenize(["a first text that is traced", "and a shorter one"])
    with torch.no_grad():
        converted = ov.convert_model(module.eval(), example_input=example)
    compiled = ov.Core().compile_model(converted, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def infer(tokens):
        return np.array(compiled({name: np.asarray(each) for name, each in tokens.items()})[0]).astype(OUTPUT)

    def infer_torch(tokens):
        with torch.no_grad():
            return module(**{name: torch.as_tensor(each) for name, each in tokens.items()}).float().numpy()

    def embed(texts):
        tokens = tokenize(texts)
        states = torch.from_numpy(infer(tokens).astype(np.float32))
        features = {"token_embeddings": states, "attention_mask": tokens["attention_mask"]}
        with torch.no_grad():
            for each in list(model.children())[1:]:  # the pooling, and what follows it
                features = each(features)
        return features["sentence_embedding"].float().numpy().astype(OUTPUT)

    def encode(texts):
        return model.encode(list(texts), normalize_embeddings=True, show_progress_bar=False)

    return SimpleNamespace(
        embed=embed, encode=encode, tokenize=tokenize, infer=infer, infer_torch=infer_torch
    )


def to_unit(rows):
    """Rows of length one, in float64; zero rows stay zero."""
    rows = rows.astype(np.float64)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(norms == 0, 1, norms)


def compare_vectors(found, expected):
    """The worst row of both sides in words, and how far their directions are apart; inf beside a NaN."""
    if found.shape != expected.shape:
        return f"shape {found.shape}", f"shape {expected.shape}", float("inf")
    with np.errstate(all="ignore"):
        off = np.linalg.norm(to_unit(found) - to_unit(expected), axis=1)
    same = ((found == expected) | (np.isnan(found) & np.isnan(expected))).all(axis=1)
    distances = np.where(same, 0, np.where(np.isfinite(off), off, np.inf))
    row = int(np.argmax(distances))
    return show_vector(found[row], row), show_vector(expected[row], row), float(distances[row])


def show_vector(vector, row):
    """The first numbers of a vector, and which text it is of."""
    return f"text {row}: [{', '.join(f'{x:.6g}' for x in vector[:5].tolist())}, ...]"


def measure(tools, texts):
    """Embed texts, and compare with the vectors that they had before the upgrade."""
    return compare_vectors(normalize(tools.embed(texts)), np.array([EXPECTED[text] for text in texts]))


def attempt(tools, given):
    """What is observed, what is expected, and how far apart they are, which nothing is for an exception."""
    try:
        return measure(tools, given)
    except Exception as error:
        return f"raises {type(error).__name__}: {error}", "no exception", float("nan")


def main():
    """Print both sides; 1 as long as they differ, 0 once they do not, 2 if it cannot be tried here."""
    try:
        tools = load(sys.argv[1:])
    except Exception as error:
        print(f"cannot be tried here: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    for name in PACKAGES:
        try:
            print(f"{name} {version(name)}")
        except PackageNotFoundError:
            print(f"{name} is not installed")
    observed, expected, difference = attempt(tools, INPUT)
    fails = not difference <= ALLOWED
    print(f"expected    {expected}")
    print(f"observed    {observed}")
    size = "an exception" if isnan(difference) else f"{difference:.6g} {UNIT}, allowed {ALLOWED:g}"
    print(f"difference  {size}: {'it fails' if fails else 'it is right'}")
    return int(fails)


if __name__ == "__main__":
    sys.exit(main())
