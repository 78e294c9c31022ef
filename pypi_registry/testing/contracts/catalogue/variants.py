"""Tests of wheel variants (PEP 825): what `add` stores and refuses, and the optional `KeepsVariants`."""

from pypi_registry.errors import FileTaken, VariantConflict
from pypi_registry.model import NameStatus, Status, VariantsHistory
from pypi_registry.storage import variants_after
from pypi_registry.testing.contracts.catalogue.samples import (
    DEMO,
    EVERYWHERE,
    IN_ACME,
    IN_LIBS,
    IN_TOOLS,
    LIBS,
    TOOLS,
    CatalogueHooks,
    add,
    add_variant,
    as_keeping_variants,
    contents_of,
    deleted,
    details,
    everything,
    files_of,
    find,
    histories,
    upload,
    variant,
)
from pypi_registry.testing.contracts.threads import raised

FAST, SLOW, NULL = variant("fast", "v3"), variant("slow", "v1"), variant("null")
OTHER_FAST = variant("fast", "v4")


class Variants(CatalogueHooks):
    """Tests of the variant of a file, and of what `KeepsVariants` keeps."""

    def test_every_method_returns_a_file_with_its_variant(self) -> None:
        catalogue = self.make_catalogue()
        plain = add(catalogue, TOOLS, "demo-1.0-py3-none-any.whl")
        fast = add_variant(catalogue, TOOLS, FAST)
        assert (plain.variant, fast.variant) == (None, FAST)
        assert files_of(catalogue, IN_TOOLS) == [plain, fast]
        assert files_of(catalogue, EVERYWHERE) == [plain, fast]
        assert find(catalogue, IN_TOOLS, fast.filename) == fast
        found = details(catalogue, fast.package)
        assert found is not None
        assert found.files == (plain, fast)
        assert deleted(catalogue.delete_file(TOOLS, fast.id, "")).files == (fast,)

    def test_a_variant_that_contradicts_its_package_is_refused_and_changes_nothing(self) -> None:
        catalogue = self.make_catalogue()
        add_variant(catalogue, TOOLS, FAST)
        before = everything(catalogue)
        for contradicting in (OTHER_FAST, variant("slow", "v1", namespaces=["gpu", "cpu"])):
            raised(VariantConflict, add_variant, catalogue, TOOLS, contradicting, "py2-none-any")
            assert everything(catalogue) == before
        add_variant(catalogue, TOOLS, FAST, "py2-none-any")
        add_variant(catalogue, TOOLS, variant("slow", "v1", namespaces=["cpu", "gpu"]))

    def test_a_variant_is_compared_only_with_the_files_that_its_package_has(self) -> None:
        catalogue = self.make_catalogue()
        fast = add_variant(catalogue, TOOLS, FAST)
        add_variant(catalogue, LIBS, OTHER_FAST)
        add_variant(catalogue, TOOLS, OTHER_FAST, version="2.0")
        add(catalogue, TOOLS, upload("demo-1.0-py3-none-any.whl"))
        catalogue.delete_file(TOOLS, fast.id, "")
        add_variant(catalogue, TOOLS, OTHER_FAST)

    def test_a_file_name_that_is_taken_is_refused_as_taken_whatever_its_variant(self) -> None:
        catalogue = self.make_catalogue()
        add_variant(catalogue, TOOLS, FAST)
        raised(FileTaken, add_variant, catalogue, TOOLS, OTHER_FAST)

    def test_each_content_of_the_variants_json_is_kept(self) -> None:
        catalogue = self.make_catalogue()
        add(catalogue, TOOLS, "demo-1.0-py3-none-any.whl")
        assert contents_of(catalogue) == []
        fast = add_variant(catalogue, TOOLS, FAST)
        expected = variants_after((), [FAST])
        assert contents_of(catalogue) == [*expected]
        add_variant(catalogue, TOOLS, FAST, "py2-none-any")  # the same content
        slow = add_variant(catalogue, TOOLS, SLOW)
        expected = variants_after(expected, [FAST, SLOW])
        assert contents_of(catalogue) == [*expected]
        add(catalogue, TOOLS, upload("demo-1.0.zip"))
        catalogue.yank(TOOLS, slow.package.id, "", "")
        assert contents_of(catalogue) == [*expected]
        catalogue.delete_file(TOOLS, fast.id, "")  # another file has its label
        assert contents_of(catalogue) == [*expected]
        catalogue.delete_file(TOOLS, slow.id, "")
        expected = variants_after(expected, [FAST])
        assert contents_of(catalogue) == [*expected]

    def test_contents_stay_after_the_last_variant_and_are_gone_with_the_package(self) -> None:
        catalogue = self.make_catalogue()
        add(catalogue, TOOLS, "demo-1.0-py3-none-any.whl")
        for each in (FAST, SLOW):
            catalogue.delete_file(TOOLS, add_variant(catalogue, TOOLS, each).id, "")
        assert contents_of(catalogue) == [FAST, SLOW]
        [plain] = files_of(catalogue, IN_TOOLS)
        catalogue.delete_package(TOOLS, plain.package.id, "")
        assert contents_of(catalogue) == []
        for each in (NULL, SLOW):
            catalogue.delete_file(TOOLS, add_variant(catalogue, TOOLS, each).id, "")  # the last file of the package
            assert contents_of(catalogue) == []

    def test_contents_are_those_of_a_version_in_the_wanted_projects_with_the_status_of_each(self) -> None:
        catalogue = self.make_catalogue()
        kept = as_keeping_variants(catalogue)
        add_variant(catalogue, LIBS, OTHER_FAST)
        add_variant(catalogue, TOOLS, FAST)
        add_variant(catalogue, TOOLS, SLOW, version="2.0")
        quarantined = NameStatus(Status.QUARANTINED, "malware")
        catalogue.set_status(LIBS, DEMO, quarantined, "")
        in_libs = VariantsHistory(LIBS.id, quarantined, [OTHER_FAST])
        in_tools = VariantsHistory(TOOLS.id, NameStatus(), [FAST])
        for projects, expected in ((IN_TOOLS, [in_tools]), (IN_LIBS, [in_libs])):
            assert histories(kept.variants(projects, DEMO, "1.0")) == expected
        for version in ("1.0", "1", "1.0.0"):
            for projects in (IN_ACME, EVERYWHERE):
                assert histories(kept.variants(projects, DEMO, version)) == [in_libs, in_tools]
        assert histories(kept.variants(IN_ACME, DEMO, "2.0")) == [VariantsHistory(TOOLS.id, NameStatus(), [SLOW])]
        assert [*kept.variants(IN_ACME, DEMO, "3.0")] == []
