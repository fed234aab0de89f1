"""Prints a Homebrew formula for a source distribution, by its hash.

    uv build --sdist
    python docs/install/formula.py dist/rag_local-0.1.0.tar.gz [URL] > rag-local.rb
    brew tap-new you/rag && mv rag-local.rb "$(brew --repository you/rag)/Formula/"
    brew install you/rag/rag-local

Without URL the formula takes the file where it is. Homebrew's own way, a resource for each of some
120 packages, knows no overrides; so uv installs, with what the source distribution ships.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

FORMULA = """\
class RagLocal < Formula
  desc "Private question answering over your own PDFs, on your own machine"
  homepage "{url}"
  url "{url}"
  version "{version}"
  sha256 "{sha256}"
  license "AGPL-3.0-or-later"

  depends_on "uv" => :build
  depends_on macos: :sonoma
  depends_on "python@3.13"

  def install
    python = Formula["python@3.13"].opt_bin/"python3.13"
    ENV["UV_PYTHON"] = python
    ENV["UV_TOOL_DIR"] = libexec
    ENV["UV_TOOL_BIN_DIR"] = bin
    system "uv", "tool", "install",
           "--overrides", "docs/install/overrides.txt",
           "--constraints", "docs/install/constraints.txt",
           "#{{buildpath}}[starter]"
  end

  service do
    run [opt_bin/"rag", "serve"]
    keep_alive crashed: true
    log_path var/"log/rag-local.log"
    error_log_path var/"log/rag-local.log"
  end

  test do
    assert_match version.to_s, shell_output("#{{bin}}/rag --version")
  end
end
"""


def formula(archive: Path, url: str) -> str:
    version = archive.name.removesuffix(".tar.gz").rpartition("-")[2]
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    return FORMULA.format(url=url, version=version, sha256=digest)


if __name__ == "__main__":
    file = Path(sys.argv[1]).resolve(strict=True)
    sys.stdout.write(formula(file, sys.argv[2] if len(sys.argv) > 2 else file.as_uri()))
