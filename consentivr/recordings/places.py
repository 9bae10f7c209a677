"""Where a recording is that a row names: recordings may have been moved since, and rows may name anything."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


class Elsewhere(ValueError):
    """A path leads out of every folder that is ours: a row is no licence to read or erase whatever it names."""


@dataclass(frozen=True)
class Places:
    """``folder`` holds recordings, ``former`` did once; below ``others`` recordings of others may be erased."""

    folder: Path
    former: tuple[Path, ...] = ()
    others: tuple[Path, ...] = ()

    def file_of(self, path: str) -> Path:
        """Where the file of that name is now, or would be. Raises Elsewhere, also where a link leads out."""
        real = Path(path).resolve()
        if any(real.is_relative_to(root.resolve()) for root in (self.folder, *self.others)):
            return real
        for former in self.former:
            if real.is_relative_to(former.resolve()):
                moved = (self.folder / real.relative_to(former.resolve())).resolve()
                if real.exists():
                    return real
                if moved.is_relative_to(self.folder.resolve()):
                    return moved
        raise Elsewhere("it is in no folder that consentivr may touch: erase it by hand")

    def erase(self, path: str) -> bool:
        """Erase the file of that name. False when it was not there; raises Elsewhere, and OSError, also when the whole
        folder is not there: its disk may not be mounted, and then nothing is known of the file.
        """
        file = self._file_there(path)
        try:
            file.unlink()
        except FileNotFoundError:
            return False
        return True

    def would_erase(self, path: str) -> bool:
        """What ``erase`` would say, as far as that can be told without it."""
        return self._file_there(path).exists()

    def _file_there(self, path: str) -> Path:
        file = self.file_of(path)
        roots = [root for root in (self.folder, *self.former, *self.others) if file.is_relative_to(root.resolve())]
        if roots and not any(root.is_dir() for root in roots):
            raise FileNotFoundError(f"the folder {roots[0]} is not there")
        return file
