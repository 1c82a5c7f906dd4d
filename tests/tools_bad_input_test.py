"""Bad input reaches the command: one sentence on standard error, exit code 2, nothing lost and nothing half-written."""

import json
import os
import resource
import signal
import struct
import subprocess
import unittest

from command_helpers import CLASSIFY, CommandTest, LANGUAGE, MATCH, SEQ2SEQ, SMALL_MODEL, main


def limit_file_size(size):
    """Makes writing beyond `size` bytes of a file fail as a full disk does."""
    def apply():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    return apply


class CommandLine(CommandTest):
    def test_an_unknown_option_is_named_with_its_neighbours(self):
        self.assertIn("no option --hiden; did you mean --hidden", self.error_of("train", "--hiden", "8"))
        self.assertIn("no option --rnu", self.error_of("eval", "--rnu", "folder"))

    def test_an_unknown_command_is_named_with_its_neighbours(self):
        self.assertIn("no command trian; did you mean train?", self.error_of("trian"))
        self.assertIn("lintel data: there is no command listop; did you mean listops?", self.error_of("data", "listop"))

    def test_values_that_are_not_numbers(self):
        self.assertIn("hidden", self.error_of("train", "--hidden", "wide"))
        self.assertIn("seed", self.error_of("train", "--seed", "-1"))

    def test_values_out_of_range(self):
        self.write_rows("rows.tsv", 30)
        train = ["train", "--data", "rows.tsv", "--out", "run", *CLASSIFY]
        for option, value, expected in [("--dropout", 2, "dropout lies between 0 and 0.99, got 2"),
                                        ("--heads", 3, "hidden is a multiple of heads, got 16 and 3"),
                                        ("--attention", "kernal", "kernel, softmax, got \"kernal\"; did you mean kernel?"),
                                        ("--batch", 0, "batch is 1 or more, got 0"),
                                        ("--dtype", "float16", "dtype is float32, bfloat16, got \"float16\""),
                                        ("--learning-rate", "nan", "learning_rate"),
                                        ("--vocabulary", 2, "vocabulary")]:
            with self.subTest(option):
                self.assertIn(expected, self.error_of(*train, option, value))
                self.assertFalse((self.folder / "run").exists())

    def test_missing_settings(self):
        self.assertIn("data is missing", self.error_of("train", "--out", "run"))
        self.write_rows("rows.tsv", 30)
        self.assertIn("out is missing", self.error_of("train", "--data", "rows.tsv"))
        self.assertIn("--run", self.error_of("eval", "--data", "rows.tsv"))

    def test_pairs_that_are_incomplete_or_given_twice(self):
        self.write("a", "x\ny\n")
        self.write("b", "x\n")
        pairs = "pairs of texts stand in a table or in two files, source and target"
        train = ["train", "--task", "seq2seq", "--out", "run"]
        for files in ([], ["--source", "a"], ["--source", "a", "--target", "a", "--data", "a"],
                      ["--data", "a", "--valid-target", "a"]):
            self.assertIn(pairs, self.error_of(*train, *files))
        self.assertIn("a has 2 lines and b 1", self.error_of(*train, "--source", "a", "--target", "b"))
        self.assertIn("source and target are for the task seq2seq",
                      self.error_of("train", "--out", "run", "--data", "a", "--source", "a"))
        self.assertFalse((self.folder / "run").exists())

    def test_config_files(self):
        for content, expected in [('{"hiden": 3}', 'no setting "hiden"; did you mean hidden'),
                                  ('{"hidden": "big"}', 'hidden wants a whole number, got "big"'),
                                  ('{"hidden": 1.5}', "hidden wants a whole number, got 1.5"),
                                  ('{"header": 1}', "header wants true or false, got 1"),
                                  ("[1]", "JSON object, got array"), ('{"hidden": ', "is not JSON"), ("", "is not JSON")]:
            with self.subTest(content):
                self.write("config.json", content)
                self.assertIn(expected, self.error_of("train", "--config", "config.json"))
        self.assertIn("nowhere.json", self.error_of("train", "--config", "nowhere.json"))


class Data(CommandTest):
    def train_error(self, *arguments):
        sentence = self.error_of("train", "--out", "run", "--steps", 1, *arguments)
        self.assertFalse((self.folder / "run").exists(), "a run folder was left behind")
        return sentence

    def test_files_that_are_missing_empty_or_folders(self):
        self.assertIn("nowhere.tsv", self.train_error("--data", "nowhere.tsv", *CLASSIFY))
        self.write("empty.tsv", "")
        self.assertIn("empty.tsv is empty", self.train_error("--data", "empty.tsv", *CLASSIFY))
        self.assertIn("empty.tsv is empty", self.train_error("--data", "empty.tsv", *LANGUAGE))
        self.write("header.tsv", "label\ttext\n")
        self.assertIn("no row after its header", self.train_error("--data", "header.tsv", "--header", *CLASSIFY))
        self.assertIn(str(self.folder), self.train_error("--data", self.folder, *CLASSIFY))

    def test_a_broken_quote(self):
        self.write("rows.csv", 'a,"one"\nb,"two\nc,three\n')
        self.assertIn("line 2", self.train_error("--data", "rows.csv", *CLASSIFY))

    def test_a_file_that_ends_in_the_middle_of_a_character(self):
        self.write("text.txt", "a b c d e f g h ä".encode()[:-1])
        self.assertIn("ends in the middle of a character", self.train_error("--data", "text.txt", *LANGUAGE))
        self.write("rows.tsv", "a\tone\nb\ttwö".encode()[:-1])
        self.assertIn("ends in the middle of a character", self.train_error("--data", "rows.tsv", *CLASSIFY))

    def test_gzip_that_ends_early(self):
        path = self.write("rows.tsv.gz", "a\tone\nb\ttwo\n" * 1000)
        path.write_bytes(path.read_bytes()[:-20])
        self.assertIn("rows.tsv.gz", self.train_error("--data", "rows.tsv.gz", *CLASSIFY))

    def test_columns_that_are_not_there(self):
        self.write("rows.tsv", "a\tone\nb\ttwo\n")
        self.assertIn("no column 3", self.train_error("--data", "rows.tsv", *CLASSIFY, "--text-column", 3))
        self.write("ragged.tsv", "a\tone\nb\n")
        self.assertIn("line 2", self.train_error("--data", "ragged.tsv", *CLASSIFY))

    def test_pairs_without_a_second_text(self):
        self.write_pairs("pairs.tsv", 20)
        train = ["--data", "pairs.tsv", *MATCH]
        self.assertIn("second_text_column is missing", self.train_error(*train, "--second-text-column", ""))
        self.assertIn('no column "others" among "one", "other", "same"',
                      self.train_error(*train, "--second-text-column", "others"))
        self.assertIn("there is no column 4", self.train_error(*train, "--second-text-column", 4))
        self.assertIn("the format lines has one column", self.train_error(*train, "--format", "lines"))
        self.assertIn('interaction is none, nli, got "nil"', self.train_error(*train, "--interaction", "nil"))
        self.assertIn("positions_from_end is for the tasks classify and match, with learned positions",
                      self.train_error(*train, "--positions-from-end", "--positions", "none"))
        self.assertIn("causal wants the pooling mean or last", self.train_error(*train, "--causal"))
        self.assertIn("interaction is for the task match",
                      self.train_error("--data", "pairs.tsv", *CLASSIFY, "--interaction", "nli"))
        self.run_command("train", *train, "--steps", 1, "--out", "pairs")
        self.write("single.tsv", "one\tsame\ncat\tyes\n")
        self.assertIn('no column "other" among "one", "same"',
                      self.error_of("eval", "--run", "pairs", "--data", "single.tsv"))
        self.assertIn("there is no column 2", self.error_of("predict", "--run", "pairs", input=b"cat\n"))
        self.assertIn("a language model is wanted", self.error_of("generate", "--run", "pairs", "--prompt", "a"))

    def test_rows_that_cannot_be_learnt_from(self):
        self.write("one.tsv", "a\tone\na\ttwo\na\tthree\n")
        self.assertIn("nothing to tell apart", self.train_error("--data", "one.tsv", *CLASSIFY))
        self.write("row.tsv", "a\tone\n")
        self.assertIn("row.tsv", self.train_error("--data", "row.tsv", *CLASSIFY))
        self.write("byte.txt", "a")
        self.assertIn("byte.txt", self.train_error("--data", "byte.txt", *LANGUAGE))

    def test_a_label_outside_the_classes(self):
        self.write_rows("rows.tsv", 40)
        self.write("valid.tsv", "animal\tcat\nmineral\tgranite\n")
        expected = 'valid.tsv: line 2: labels: "mineral" is none of the 2 classes (animal, plant)'
        self.assertIn(expected, self.train_error("--data", "rows.tsv", "--valid", "valid.tsv", *CLASSIFY))
        self.run_command("train", "--data", "rows.tsv", "--out", "run2", "--steps", 1, *CLASSIFY)
        self.assertIn(expected, self.error_of("eval", "--run", "run2", "--data", "valid.tsv"))


class RunFolders(CommandTest):
    def setUp(self):
        super().setUp()
        self.write_rows("rows.tsv", 40)
        self.train = ["train", "--data", "rows.tsv", "--steps", 2, *CLASSIFY]

    def test_an_out_folder_below_a_regular_file(self):
        self.assertIn("rows.tsv", self.error_of(*self.train, "--out", "rows.tsv/run"))
        self.assertIn("rows.tsv", self.error_of("data", "listops", "--out", "rows.tsv/listops"))

    def test_a_folder_that_holds_a_run_already(self):
        self.run_command(*self.train, "--out", "run")
        before = self.read("run/last.safetensors")
        self.assertIn("holds a run already", self.error_of(*self.train, "--out", "run"))
        self.assertEqual(self.read("run/last.safetensors"), before)

    def test_a_folder_that_holds_no_run(self):
        (self.folder / "other").mkdir()
        for command in (["eval", "--run", "other", "--data", "rows.tsv"], ["predict", "--run", "other"],
                        ["generate", "--run", "other", "--prompt", "a"], ["train", "--resume", "other"]):
            with self.subTest(command[0]):
                self.assertIn("not the folder of a run", self.error_of(*command, input=b""))

    def test_a_checkpoint_of_another_model(self):
        self.run_command(*self.train, "--out", "run")
        self.run_command(*self.train, "--out", "wide", "--hidden", 32)
        eval_wide = ["eval", "--run", "run", "--data", "rows.tsv", "--weights", "wide/best.safetensors"]
        self.assertIn("does not fit", self.error_of(*eval_wide))
        (self.folder / "run/state.safetensors").write_bytes(self.read("wide/state.safetensors"))
        last = self.read("run/last.safetensors")
        self.assertIn("does not fit", self.error_of("train", "--resume", "run", "--steps", 4))
        self.assertEqual(self.read("run/last.safetensors"), last)

    def test_resuming_with_other_settings_or_other_data(self):
        self.run_command(*self.train, "--out", "run")
        resume = ["train", "--resume", "run"]
        self.assertIn("hidden is 16 in the run and cannot become 32", self.error_of(*resume, "--hidden", 32))
        self.assertIn("exclude each other", self.error_of(*resume, "--out", "elsewhere"))
        self.write_rows("rows.tsv", 41, seed=9)
        self.assertIn("training data is not what", self.error_of(*resume, "--steps", 4))

    def test_a_damaged_checkpoint(self):
        self.run_command(*self.train, "--out", "run")
        state = self.read("run/state.safetensors")
        (self.folder / "run/state.safetensors").write_bytes(state[:-100])
        self.assertIn("state.safetensors", self.error_of("train", "--resume", "run", "--steps", 4))
        (self.folder / "run/state.safetensors").write_bytes(self.read("run/last.safetensors"))
        self.assertIn("not a checkpoint of a run", self.error_of("train", "--resume", "run", "--steps", 4))

    def test_a_task_that_the_run_is_not_of(self):
        self.run_command(*self.train, "--out", "run")
        self.assertIn("a language model is wanted", self.error_of("generate", "--run", "run", "--prompt", "a"))
        self.write_text("text.txt", 400)
        self.run_command("train", "--data", "text.txt", "--out", "lm", "--steps", 1, *LANGUAGE)
        self.assertIn("a classifier is wanted", self.error_of("predict", "--run", "lm", input=b"a\n"))
        self.assertIn("--data is missing", self.error_of("eval", "--run", "lm"))
        self.assertIn("are for an encoder–decoder model", self.error_of("eval", "--run", "lm", "--source", "text.txt"))
        self.write("pairs.tsv", "one\teins\n" * 4)
        self.run_command("train", "--data", "pairs.tsv", "--out", "pairs", "--steps", 1, *SEQ2SEQ)
        self.assertIn("holds an encoder–decoder model, and a language model is wanted",
                      self.error_of("generate", "--run", "pairs", "--prompt", "a"))
        self.assertIn("in a table or in two files", self.error_of("eval", "--run", "pairs", "--target", "pairs.tsv"))
        self.assertIn("text.txt: there is no column 2",
                      self.error_of("eval", "--run", "pairs", "--data", "text.txt", "--target-column", 2))
        generate = ["generate", "--run", "lm", "--tokens", 3]
        self.assertIn("prompt is empty", self.error_of(*generate, "--prompt", ""))
        self.assertIn("temperature", self.error_of(*generate, "--prompt", "a", "--temperature", -1))
        self.assertIn("top_p", self.error_of(*generate, "--prompt", "a", "--top-p", 0))

    def test_predicting_nothing(self):
        self.run_command(*self.train, "--out", "run")
        self.assertIn("empty", self.error_of("predict", "--run", "run", input=b""))
        self.assertIn("middle of a character", self.error_of("predict", "--run", "run", input="cat ä".encode()[:-1]))


class FullDisk(CommandTest):
    def test_a_file_that_cannot_grow(self):
        self.write_rows("rows.tsv", 40)
        train = ["train", "--data", "rows.tsv", "--steps", 2, "--out", "run", *CLASSIFY]
        sentence = self.error_of(*train, "--quiet", preexec_fn=limit_file_size(4096))
        self.assertRegex(sentence, r"safetensors: File too large")
        self.check_only_whole_files("run")

    def test_the_last_checkpoint_survives_a_disk_that_fills_up(self):
        self.write_rows("rows.tsv", 40)
        self.run_command("train", "--data", "rows.tsv", "--steps", 4, "--stop-at", 2, "--out", "run", *CLASSIFY)
        kept = {name: self.read(f"run/{name}") for name in ("last.safetensors", "state.safetensors")}
        self.error_of("train", "--resume", "run", "--quiet", preexec_fn=limit_file_size(4096))
        for name, content in kept.items():
            self.assertEqual(self.read(f"run/{name}"), content)
        self.run_command("train", "--resume", "run")

    def test_a_full_tmpfs(self):
        disk = self.folder / "disk"
        disk.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", disk], capture_output=True)
        if mounted.returncode != 0:
            self.skipTest("SKIPPED: mounting a tmpfs is not allowed here: " + mounted.stderr.decode().strip())
        self.addCleanup(subprocess.run, ["umount", disk], check=True)
        self.write_rows("rows.tsv", 40)
        train = ["train", "--data", "rows.tsv", "--steps", 2, "--out", "disk/run", *CLASSIFY]
        self.assertIn("No space left on device", self.error_of(*train, "--quiet"))
        self.check_only_whole_files("disk/run")
        self.assertIn("No space left on device", self.error_of("data", "listops", "--short", "--out", "disk"))

    def check_only_whole_files(self, folder):
        """A temporary file would be left over; every JSON file must parse."""
        for path in (self.folder / folder).iterdir():
            self.assertIn(path.suffix, (".json", ".jsonl", ".safetensors"), path)
            if path.suffix == ".json":
                json.loads(path.read_text())
            if path.suffix == ".safetensors":
                self.run_command("info", path)


class Safetensors(CommandTest):
    def info_error(self, header, data=b"", length=None):
        if not isinstance(header, bytes):
            header = json.dumps(header).encode()
        size = len(header) if length is None else length
        self.write("hostile.safetensors", struct.pack("<Q", size) + header + data)
        return self.error_of("info", "hostile.safetensors")

    def test_files_that_are_cut_off_or_hostile(self):
        tensor = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
        self.write("short.safetensors", b"\x01\x02")
        self.error_of("info", "short.safetensors")
        self.error_of("info", "nowhere.safetensors")
        self.info_error(b"", length=2**63)
        self.info_error({"a": tensor}, data=bytes(7))
        self.info_error({"a": tensor}, data=bytes(9))
        self.info_error({"a": tensor, "b": tensor}, data=bytes(8))
        self.info_error({"a": tensor, "b": {**tensor, "data_offsets": [12, 20]}}, data=bytes(20))
        self.info_error({"a": {**tensor, "shape": [2**40, 2**40]}}, data=bytes(8))
        self.info_error(b'{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}, '
                        b'"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}', data=bytes(8))


if __name__ == "__main__":
    main()
