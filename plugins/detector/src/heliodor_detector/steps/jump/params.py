"""Parameters of jump."""

from __future__ import annotations

from heliodor.params import Params, parameter


class JumpParams(Params):
    """Names, defaults and meaning are those of operations."""

    rejection_threshold: float = parameter(
        4.0, "A difference this far from the median is a jump.", unit="sigma", ge=0
    )
    three_group_rejection_threshold: float = parameter(
        6.0, "The same for pixels with two usable differences (three groups).", unit="sigma", ge=0
    )
    four_group_rejection_threshold: float = parameter(
        5.0, "The same for pixels with three usable differences (four groups).", unit="sigma", ge=0
    )
    maximum_cores: str | None = parameter(
        "1", "Accepted for compatibility; has no effect, the run's threads are used."
    )
    flag_4_neighbors: bool = parameter(
        True, "Flag the four pixels that share a side with a jump as well."
    )
    max_jump_to_flag_neighbors: float = parameter(
        1000.0, "Jumps of at least this height leave their neighbours alone.", unit="sigma"
    )
    min_jump_to_flag_neighbors: float = parameter(
        10.0, "Jumps up to this height leave their neighbours alone.", unit="sigma"
    )
    after_jump_flag_dn1: float = parameter(
        0.0, "Smallest jump followed by flags for after_jump_flag_time1.", unit="DN"
    )
    after_jump_flag_time1: float = parameter(
        0.0, "How long groups after such a jump are flagged.", unit="s", ge=0
    )
    after_jump_flag_dn2: float = parameter(
        0.0, "Smallest jump followed by flags for after_jump_flag_time2.", unit="DN"
    )
    after_jump_flag_time2: float = parameter(
        0.0, "How long groups after such a jump are flagged.", unit="s", ge=0
    )
    min_diffs_single_pass: int = parameter(
        10, "With this many usable differences all jumps of a pixel are found at once."
    )
    minimum_groups: int = parameter(
        3, "Fewest usable groups for which jumps are looked for without sigma clipping."
    )
    minimum_sigclip_groups: int = parameter(
        100, "Fewest integrations, or groups of all integrations, to find jumps by sigma clipping."
    )
    only_use_ints: bool = parameter(
        True, "Sigma clipping compares a group with the same group of other integrations only."
    )

    expand_large_events: bool = parameter(False, "Look for snowballs (near-infrared detectors).")
    min_sat_area: float = parameter(
        1.0,
        "Smallest saturated core of a snowball, its holes included.",
        unit="square pixels",
        ge=0,
    )
    min_jump_area: float = parameter(
        5.0, "Smallest area of jumps looked at as a snowball.", unit="square pixels", ge=0
    )
    expand_factor: float = parameter(
        2.0, "How many times as long the minor axis of a snowball becomes."
    )
    use_ellipses: bool = parameter(False, "Accepted without effect, as in operations.")
    sat_required_snowball: bool = parameter(True, "A snowball must have a saturated core.")
    min_sat_radius_extend: float = parameter(
        2.5, "Minor axis from which a saturated core is made larger.", unit="pixels", ge=0
    )
    sat_expand: int = parameter(
        2, "How much the radius of a saturated core is made larger.", unit="pixels", ge=0
    )
    edge_size: int = parameter(
        25, "Nearer to an edge than this, a snowball needs no saturated core.", unit="pixels", ge=0
    )
    mask_snowball_core_next_int: bool = parameter(
        True, "Flag saturated cores of snowballs in the next integration as well."
    )
    snowball_time_masked_next_int: int = parameter(
        4000,
        "How long they are flagged in the next integration, from its second group on.",
        unit="s",
        ge=0,
    )
    max_extended_radius: int = parameter(
        200, "Largest radius a snowball or shower is made larger to.", unit="pixels", ge=0
    )

    large_events_as_jwst: bool = parameter(
        False,
        "Treat snowballs and showers as jwst 3.0.0 does: x and y exchanged where a core is looked "
        "for in an ellipse, the number of rows for that of columns in edge_size, and 6 electrons/s "
        "for max_shower_amplitude.",
    )

    find_showers: bool = parameter(False, "Look for showers (MIRI).")
    max_shower_amplitude: float = parameter(
        4.0, "Flags of showers that change a slope by more are taken back.", unit="DN/s", ge=0
    )
    extend_snr_threshold: float = parameter(
        1.2,
        "Mean size of differences in the ring from which on there is a shower.",
        unit="sigma",
        ge=0,
    )
    extend_min_area: int = parameter(
        90, "Smallest area of a shower after smoothing.", unit="square pixels", ge=0
    )
    extend_inner_radius: float = parameter(
        1.0, "Inner radius of the smoothing ring.", unit="pixels", ge=0
    )
    extend_outer_radius: float = parameter(
        2.6, "Width of the smoothing ring, outwards from its inner radius.", unit="pixels", gt=0
    )
    extend_ellipse_expand_ratio: float = parameter(
        1.1, "How many times as long the minor axis of a shower becomes."
    )
    time_masked_after_shower: float = parameter(
        15.0, "How long groups after a shower are flagged.", unit="s", ge=0
    )
