"""What the tests of the `lintel` command share. LINTEL_COMMAND names the program."""

import gzip
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import unittest

COMMAND = os.environ.get("LINTEL_COMMAND", "lintel")
TIMEOUT = 600


class CommandTest(unittest.TestCase):
    """A test with a folder of its own that runs the command in it."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="lintel-test-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def run_command(self, *arguments, input=None, exit_code=0, **options):
        """Runs the command and checks its exit code; `input` and the outputs are bytes."""
        result = subprocess.run([COMMAND, *map(str, arguments)], input=input, capture_output=True, cwd=self.folder,
                                timeout=TIMEOUT, **options)
        if result.returncode != exit_code:
            self.fail(f"{arguments} ended with {result.returncode}, not {exit_code}:\n"
                      f"{result.stdout.decode(errors='replace')}{result.stderr.decode(errors='replace')}")
        return result

    def run_json(self, *arguments, **options):
        """Runs the command with --json and returns the object on its last line."""
        output = self.run_command(*arguments, "--json", **options).stdout.decode()
        return json.loads(output.splitlines()[-1])

    def error_of(self, *arguments, **options):
        """Runs a command that must fail as a bad input does, and returns its one sentence, the last of its lines."""
        result = self.run_command(*arguments, exit_code=2, **options)
        lines = result.stderr.decode().splitlines()
        self.assertTrue(lines[-1].startswith("lintel"), lines)
        self.assertFalse([line for line in lines[:-1] if line.startswith("lintel")], lines)
        return lines[-1]

    def write(self, name, content):
        path = self.folder / name
        if isinstance(content, str):
            content = content.encode()
        if name.endswith(".gz"):
            content = gzip.compress(content)
        path.write_bytes(content)
        return path

    def read(self, name):
        return (self.folder / name).read_bytes()

    def write_rows(self, name, count, seed=1):
        """A table of labels and texts in which a word of the text gives the label away."""
        chance = random.Random(seed)
        words = ["red", "green", "blue", "stone", "river", "cloud", "seven", "lamp"]
        signs = {"animal": ["cat", "dog", "owl"], "plant": ["oak", "fern", "moss"]}
        lines = []
        for _ in range(count):
            label = chance.choice(sorted(signs))
            text = chance.choices(words, k=chance.randint(3, 9))
            text.insert(chance.randint(0, len(text)), chance.choice(signs[label]))
            lines.append(f"{label}\t{' '.join(text)}\n")
        return self.write(name, "".join(lines))

    def write_pairs(self, name, count, seed=1):
        """A table of two texts that are about the same thing, or not, and which of it in the column `same`."""
        chance = random.Random(seed)
        words = ["red", "blue", "stone", "river", "seven"]
        signs = ["cat", "oak", "lamp"]
        lines = ["one\tother\tsame\n"]
        for _ in range(count):
            first, second = chance.choice(signs), chance.choice(signs)
            if chance.random() < 0.5:
                second = first
            texts = []
            for sign in (first, second):
                text = chance.choices(words, k=chance.randint(1, 4))
                text.insert(chance.randint(0, len(text)), sign)
                texts.append(" ".join(text))
            lines.append(f"{texts[0]}\t{texts[1]}\t{'yes' if first == second else 'no'}\n")
        return self.write(name, "".join(lines))

    def spelt_words(self, count, seed=1):
        """Words of one to four letters, and the same in capital letters with a space between."""
        chance = random.Random(seed)
        words = ["".join(chance.choices("abcd", k=chance.randint(1, 4))) for _ in range(count)]
        return words, [" ".join(word.upper()) for word in words]

    def write_text(self, name, size):
        chance = random.Random(2)
        text = ""
        while len(text) < size:
            text += chance.choice(["to be or not to be, ", "that is the question. ", "Whether 'tis nobler\n"])
        return self.write(name, text[:size])


# Settings of models that train in a blink.
SMALL_MODEL = ["--hidden", 16, "--heads", 2, "--blocks", 1, "--mlp", 32, "--max-length", 16]
CLASSIFY = ["--label-column", 1, "--text-column", 2, "--tokeniser", "word", *SMALL_MODEL]
MATCH = ["--task", "match", "--header", "--text-column", "one", "--second-text-column", "other", "--label-column", "same",
         "--tokeniser", "word", *SMALL_MODEL]
LANGUAGE = ["--task", "lm", *SMALL_MODEL]
SEQ2SEQ = ["--task", "seq2seq", "--target-tokeniser", "whitespace", *SMALL_MODEL]


def main():
    if not os.access(COMMAND, os.X_OK):
        sys.exit(f"LINTEL_COMMAND is {COMMAND}, which cannot be run")
    unittest.main(verbosity=2)
