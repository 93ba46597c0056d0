"""ImageNet weights from torchvision's files: copied whole, and refused in plain words."""

import hashlib

import pytest
import torch
from torch import nn

import pam
from pam.networks import architecture, build, initial
from pam.networks.initial import load_imagenet
from pam.torchvision_shim import torchvision
from tests.small import VGG_CONVOLUTIONS

SHAPE = (3, 40, 40)


@pytest.fixture(scope="module")
def theirs():
    """torchvision's ResNet-18 with weights of its own and running statistics that are not 0, 1."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        model = torchvision().models.resnet18(weights=None)
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                for tensor in (module.weight, module.running_var):
                    nn.init.uniform_(tensor, 0.5, 1.5)
                for tensor in (module.bias, module.running_mean):
                    nn.init.normal_(tensor, 0, 0.2)
    return model.eval()


@pytest.fixture
def publish(monkeypatch, tmp_path):
    """Write something as torchvision would publish it, and return the folder."""

    def publish(content):
        file = tmp_path / "weights.pth"
        torch.save(content, file)
        start = hashlib.sha256(file.read_bytes()).hexdigest()[:8]
        file = file.rename(tmp_path / f"resnet18-{start}.pth")
        monkeypatch.setattr(
            initial, "_published", lambda name: ("Weights.V1", f"https://a.org/{file.name}")
        )
        return tmp_path

    return publish


def resnet(**options):
    return build("resnet18", SHAPE, 4, seed=1, **options)


def test_a_resnet_computes_what_torchvisions_computes(theirs, publish):
    network = resnet()
    output = network.blocks["fc"]["A"]
    before = output.weight.detach().clone()
    load_imagenet(network, publish(theirs.state_dict()))
    assert torch.equal(output.weight, before)
    network.eval()
    images = torch.randn(2, *SHAPE, generator=torch.Generator().manual_seed(0))
    features = nn.Sequential(*list(theirs.children())[:-1])
    with torch.no_grad():
        expected = torch.tanh(output(features(images).flatten(1)))
        torch.testing.assert_close(network(images)["A"], expected, atol=1e-5, rtol=0)


def test_torchs_own_folder_is_the_default(theirs, publish, monkeypatch):
    folder = publish(theirs.state_dict())
    (folder / "checkpoints").mkdir()
    (file,) = folder.glob("*.pth")
    file.rename(folder / "checkpoints" / file.name)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(folder))
    network = resnet()
    load_imagenet(network)
    assert torch.equal(network.blocks["s1_stem"]["A"].weight, theirs.conv1.weight)


def test_every_hidden_tensor_of_a_resnet_has_a_name_of_its_own():
    for name in ("resnet18", "resnet34"):
        network = build(name, SHAPE, 4)
        names = initial._torchvision_names(network)
        state = {k: v for k, v in network.state_dict().items() if not k.endswith("tracked")}
        assert set(state) - set(names) == {"blocks.fc.A.weight", "blocks.fc.A.bias"}
        with torch.device("meta"):
            published = getattr(torchvision().models, name)(weights=None).state_dict()
        assert {theirs: state[ours].shape for ours, theirs in names.items()} == {
            key: tensor.shape
            for key, tensor in published.items()
            if not key.startswith("fc.") and not key.endswith("tracked")
        }


def test_the_thirteen_convolutions_of_vgg16_are_found_in_order():
    # Without memory: torchvision's is half a gigabyte.
    with torch.device("meta"):
        published = torchvision().models.vgg16(weights=None)
    convolutions = [
        f"features.{index}"
        for index, module in enumerate(published.features)
        if isinstance(module, nn.Conv2d)
    ]
    made = architecture("vgg16", SHAPE, hidden=8)
    assert list(initial._vgg_blocks(made)) == list(zip(VGG_CONVOLUTIONS, convolutions, strict=True))
    for layer, name in initial._vgg_blocks(made):
        assert published.get_submodule(name).out_channels == made.units[layer]


def test_vgg16_gets_weights_and_biases_of_its_convolutions_alone():
    network = build("vgg16", SHAPE, 4, hidden=8)
    assert set(initial._torchvision_names(network)) == {
        f"blocks.{layer}.A.{kind}" for layer in VGG_CONVOLUTIONS for kind in ("weight", "bias")
    }


@pytest.mark.parametrize("name", ["vgg16", "resnet18", "resnet34"])
def test_a_missing_file_is_named_with_its_source_and_its_place(name, tmp_path):
    weights, url = initial._published(name)
    with pytest.raises(pam.DataError) as caught:
        load_imagenet(build(name, SHAPE, 4, **({"hidden": 8} if name == "vgg16" else {})), tmp_path)
    sentence = str(caught.value)
    assert url.endswith(".pth")
    assert name in url
    for part in (str(tmp_path / url.rsplit("/", 1)[-1]), url, weights, "IMAGENET1K_V1"):
        assert part in sentence
    assert "\n" not in sentence
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "shape", "options", "sentence"),
    [
        ("lenet5", SHAPE, {}, "no ImageNet weights for 'lenet5', only for vgg16, resnet18"),
        ("resnet18", SHAPE, {"width": 0.1}, "'resnet18' of width 1 .* not of width 0.1"),
        ("vgg16", SHAPE, {"width": 0.1, "hidden": 4}, "'vgg16' of width 1"),
        ("resnet18", SHAPE, {"stem": "small"}, "stem 'imagenet', not 'small'"),
        ("resnet18", (1, 40, 40), {}, "images of 3 channels, not 1"),
    ],
)
def test_networks_that_the_weights_do_not_fit_are_refused(tmp_path, name, shape, options, sentence):
    with pytest.raises(pam.ConfigError, match=sentence):
        load_imagenet(build(name, shape, 4, **options), tmp_path)


def refused(network, folder, sentence):
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with pytest.raises(pam.DataError, match=sentence) as caught:
        load_imagenet(network, folder)
    assert str(next(folder.glob("*.pth"))) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_files_that_are_not_what_their_name_says_are_refused(theirs, publish):
    network, state = resnet(), theirs.state_dict()
    folder = publish(state)
    (file,) = folder.glob("*.pth")
    content = bytearray(file.read_bytes())
    file.write_bytes(content[:-1000])
    refused(network, folder, "is damaged: its sha256 starts with")
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    refused(network, folder, "is damaged: its sha256 starts with")


@pytest.mark.parametrize(
    ("name", "tensor", "sentence"),
    [
        ("layer4.1.bn2.running_var", None, r"no tensor 'layer4.1.bn2.running_var' of shape \(512,"),
        ("conv1.weight", torch.zeros(64, 1, 7, 7), r"'conv1.weight' of shape \(64, 3, 7, 7\)"),
        ("bn1.bias", torch.full((64,), torch.nan), "'bn1.bias' holds NaN"),
        ("bn1.bias", [0.0] * 64, "no tensor 'bn1.bias'"),
    ],
)
def test_other_tensors_are_refused(theirs, publish, name, tensor, sentence):
    state = {**theirs.state_dict(), name: tensor}
    refused(resnet(), publish({k: v for k, v in state.items() if v is not None}), sentence)


def test_a_file_of_another_kind_is_refused(publish):
    folder = publish([1, 2])
    refused(resnet(), folder, "holds a list, not named tensors")
    (file,) = folder.glob("*.pth")
    file.unlink()
    folder = publish(pytest.approx(1))
    refused(resnet(), folder, "is not a file of torch's: UnpicklingError")
