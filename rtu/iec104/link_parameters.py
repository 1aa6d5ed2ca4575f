"""The parameters of a link and their ranges."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LinkParameters:
    """IEC 60870-5-104, 9.6. Raises ValueError when a parameter is out of range or t2 >= t1 or w > k.

    k: most own I frames unacknowledged, 1..32767. w: acknowledge at the latest after so many, 1..k.
    t1: time-out of a sent frame, 1..255 s. t2: acknowledge at the latest after, 1..255 s and below t1.
    t3: test the connection after so long without a frame, 1..172800 s.
    """

    k: int = 12
    w: int = 8
    t1: float = 15.0
    t2: float = 10.0
    t3: float = 20.0

    def __post_init__(self) -> None:
        for name, most in (("k", 32767), ("w", 32767), ("t1", 255), ("t2", 255), ("t3", 172_800)):
            value = getattr(self, name)
            if not 1 <= value <= most:
                raise ValueError(f"{name} must be 1..{most}, not {value}")
        if self.w > self.k:
            raise ValueError(f"w must not be greater than k ({self.w} > {self.k}); two thirds of k are usual")
        if self.t2 >= self.t1:
            raise ValueError(f"t2 must be less than t1, not {self.t2} s against {self.t1} s")
