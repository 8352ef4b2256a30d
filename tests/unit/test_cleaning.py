import pytest

from tasks.plan.cleaning import CacheRecord, Cleaning, Image, decide


def image(*references: str, service: str | None = "agent", used_by: tuple[str, ...] = ()) -> Image:
    labels = {} if service is None else {"container-tasks.service": service}
    return Image(id="sha256:1", references=references, size=10, labels=labels, used_by=used_by)


def mount(name: str | None, size: int = 5, *, in_use: bool = False) -> CacheRecord:
    return CacheRecord(id=f"record-{name}", size=size, mount_id=name, in_use=in_use)


def decided(*images: Image, cache: tuple[CacheRecord, ...] = (), builders: tuple[str, ...] = ()) -> Cleaning:
    mounted = {"shop", "shop-go", "shop-a", "shopping-go", "/root/.cache"}
    return decide(project="shop", images=images, cache=cache, builders=builders, mounted=mounted)


@pytest.mark.parametrize(
    "reference", ["registry.example/shop/agent:v1", "agent:v1", "localhost:5000/agent:latest-arm64"]
)
def test_an_image_named_for_its_service_goes_from_whichever_registry(reference: str) -> None:
    assert decided(image(reference)).images == (image(reference),)


def test_an_untagged_image_of_ours_goes() -> None:
    assert decided(image()).images == (image(),)


@pytest.mark.parametrize("reference", ["somebody/else:1", "registry.example/agent/other:1", "agent-debug:1"])
def test_an_image_made_from_ours_inherits_the_label_and_stays(reference: str) -> None:
    assert decided(image(reference)).nothing


def test_an_image_without_a_service_stays() -> None:
    assert decided(image("agent:1", service=None)).nothing


def test_of_an_image_with_a_foreign_name_too_only_our_names_go() -> None:
    assert decided(image("shop/agent:1", "keep/this:1")).images == (image("shop/agent:1"),)


def test_an_image_that_a_container_uses_stays_and_is_named() -> None:
    busy = image("shop/agent:1", used_by=("web",))
    assert decided(busy).kept == (busy,)
    assert decided(busy).nothing


@pytest.mark.parametrize(
    ("name", "ours"), [("shop-go", True), ("shop", True), ("shopping-go", False), ("other", False)]
)
def test_a_cache_mount_of_the_dockerfiles_goes_when_its_id_begins_with_the_project(name: str, ours: bool) -> None:
    found = decided(cache=(mount(name),))
    assert found.mounts == ((mount(name),) if ours else ())
    assert found.nothing is not ours


@pytest.mark.parametrize("in_use", [True, False])
def test_a_cache_mount_that_no_dockerfile_here_names_may_be_another_projects_and_stays(*, in_use: bool) -> None:
    other = mount("shop-floor-go", in_use=in_use)  # of a project shop-floor, or of a service that has gone
    found = decided(cache=(other,))
    assert found.doubtful_mounts == (other,)
    assert found.nothing
    assert not found.busy_mounts


def test_a_cache_mount_in_use_stays() -> None:
    busy = mount("shop-go", in_use=True)
    found = decided(cache=(busy,))
    assert found.busy_mounts == (busy,)
    assert found.nothing


def test_layers_of_the_shared_builder_have_no_owner_and_stay() -> None:
    found = decided(cache=(mount(None, 7), mount(None, 8)))
    assert found.ownerless == 15
    assert found.nothing


def test_our_builders_go() -> None:
    assert decided(builders=("shop-release",)).builders == ("shop-release",)
    assert not decided(builders=("shop-release",)).nothing


def test_what_comes_free_is_images_and_mounts_without_what_stays() -> None:
    found = decided(image("agent:1"), image("agent:2", used_by=("x",)), cache=(mount("shop-a"), mount(None)))
    assert found.bytes == 15
