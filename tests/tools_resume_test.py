"""A run gives the same bits however it was cut up, and on however many threads."""

import json
import os
import pathlib
import signal
import subprocess
import time
import unittest

from command_helpers import CLASSIFY, COMMAND, CommandTest, LANGUAGE, MATCH, TIMEOUT, main

WEIGHTS = ("best.safetensors", "last.safetensors", "state.safetensors")
# Dropout, accumulation and a schedule that looks at all steps: everything that a resumed run could get wrong.
CAREFUL = ["--dropout", 0.1, "--kernel-dropout", 0.1, "--accumulate", 3, "--batch", 10, "--schedule", "warmup_cosine",
           "--warmup", 3, "--eval-every", 4, "--penalty", 0.01]


class ResumeTest(CommandTest):
    def assert_same_runs(self, one, other, names=WEIGHTS):
        for name in names:
            self.assertTrue(self.read(f"{one}/{name}") == self.read(f"{other}/{name}"), f"{name} of {one} and {other}")

    def log_of(self, run):
        """The log without what time decides."""
        records = [json.loads(line) for line in self.read(f"{run}/log.jsonl").splitlines()]
        for record in records:
            record.pop("seconds", None)
        return records


class Resume(ResumeTest):
    def check_pieces(self, data, settings):
        train = ["train", "--data", data, *settings, *CAREFUL]
        self.run_command(*train, "--steps", 20, "--out", "whole")
        self.run_command(*train, "--steps", 20, "--out", "again")
        self.assert_same_runs("whole", "again")
        self.assertEqual(self.log_of("whole"), self.log_of("again"))

        result = self.run_json(*train, "--steps", 20, "--stop-at", 10, "--out", "pieces")
        self.assertEqual((result["reason"], result["step"]), ("stopped as asked", 10))
        self.assertNotEqual(self.read("pieces/last.safetensors"), self.read("whole/last.safetensors"))
        self.assertEqual(self.run_json("train", "--resume", "pieces")["step"], 20)
        self.assert_same_runs("whole", "pieces")
        self.assertEqual(self.log_of("whole"), self.log_of("pieces"))

    def test_a_classifier_in_two_pieces_is_the_same_to_the_byte(self):
        self.check_pieces(self.write_rows("rows.tsv", 80), CLASSIFY)

    def test_a_dual_encoder_in_two_pieces_is_the_same_to_the_byte(self):
        self.check_pieces(self.write_pairs("rows.tsv", 80), [*MATCH, "--interaction", "nli"])

    def test_a_language_model_in_two_pieces_is_the_same_to_the_byte(self):
        self.check_pieces(self.write_text("text.txt", 3000), LANGUAGE)

    def test_ten_steps_and_ten_more_are_twenty_with_a_schedule_that_has_no_end(self):
        self.write_rows("rows.tsv", 80)
        train = ["train", "--data", "rows.tsv", *CLASSIFY, *CAREFUL, "--schedule", "inverse_sqrt", "--eval-every", 5]
        self.run_command(*train, "--steps", 20, "--out", "whole")
        self.run_command(*train, "--steps", 10, "--out", "pieces")
        self.run_command("train", "--resume", "pieces", "--steps", 20)
        self.assert_same_runs("whole", "pieces")

    def test_a_run_without_a_checkpoint_begins_again(self):
        self.write_rows("rows.tsv", 80)
        self.run_command("train", "--data", "rows.tsv", *CLASSIFY, "--steps", 3, "--out", "run")
        before = self.read("run/last.safetensors")
        for name in WEIGHTS:
            (self.folder / "run" / name).unlink()
        self.run_command("train", "--resume", "run")
        self.assertEqual(self.read("run/last.safetensors"), before)

    def test_a_run_that_was_moved_and_is_finished_has_nothing_to_do(self):
        self.write_rows("rows.tsv", 80)
        self.run_command("train", "--data", "rows.tsv", *CLASSIFY, "--steps", 3, "--out", "run")
        (self.folder / "run").rename(self.folder / "moved")
        before = self.read("moved/state.safetensors")
        self.assertEqual(self.run_json("train", "--resume", "moved")["reason"], "finished")
        self.assertEqual(self.read("moved/state.safetensors"), before)


class Threads(ResumeTest):
    # Enough work in a step that a second thread is worth it.
    LARGE = ["--hidden", 64, "--heads", 4, "--mlp", 256, "--max-length", 64, "--batch", 30, "--steps", 20, "--quiet"]

    def run_and_count_threads(self, *arguments):
        """Runs the command and returns the most threads that it had at any moment."""
        process = subprocess.Popen([COMMAND, *map(str, arguments)], cwd=self.folder, stdout=subprocess.DEVNULL)
        status = pathlib.Path(f"/proc/{process.pid}/status")
        most = 1
        while process.poll() is None:
            try:
                lines = status.read_text().splitlines()
            except OSError:
                break
            most = max([most] + [int(line.split()[1]) for line in lines if line.startswith("Threads:")])
            time.sleep(0.002)
        self.assertEqual(process.wait(TIMEOUT), 0)
        return most

    def check_threads(self, train):
        counts = {threads: self.run_and_count_threads(*train, *self.LARGE, "--threads", threads, "--out", f"on{threads}")
                  for threads in (1, 2, 7)}
        self.assert_same_runs("on1", "on2")
        self.assert_same_runs("on1", "on7")
        if pathlib.Path("/proc/self/status").exists():
            self.assertEqual(counts[1], 1)
            self.assertGreaterEqual(counts[7], 7, f"7 workers were asked for, at most {counts[7]} threads were there")

    def test_a_classifier_has_the_same_bits_on_1_2_and_7_threads(self):
        self.write_rows("rows.tsv", 200)
        self.check_threads(["train", "--data", "rows.tsv", *CLASSIFY, "--tokeniser", "byte", *CAREFUL])

    def test_a_language_model_has_the_same_bits_on_1_2_and_7_threads(self):
        self.write_text("text.txt", 4000)
        self.check_threads(["train", "--data", "text.txt", *LANGUAGE, *CAREFUL])


class Interrupted(ResumeTest):
    def interrupt(self, number):
        self.write_rows("rows.tsv", 200)
        train = ["train", "--data", "rows.tsv", *CLASSIFY, "--schedule", "constant", "--eval-every", 1000000]
        process = subprocess.Popen([COMMAND, *map(str, train), "--steps", "1000000", "--out", "run"], cwd=self.folder,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        log = self.folder / "run" / "log.jsonl"
        limit = time.monotonic() + TIMEOUT
        while not (log.exists() and log.read_bytes().count(b"\n") >= 5):
            self.assertLess(time.monotonic(), limit, "the run did not begin")
            time.sleep(0.01)
        process.send_signal(number)
        output, _ = process.communicate(timeout=TIMEOUT)
        self.assertEqual(process.returncode, 128 + number)
        self.assertIn(b"lintel train --resume run", output)

        step = self.log_of("run")[-1]["step"]
        self.run_command("train", "--resume", "run", "--stop-at", step + 3)
        self.run_command(*train, "--steps", 1000000, "--stop-at", step + 3, "--out", "whole")
        self.assert_same_runs("whole", "run", ("last.safetensors", "state.safetensors"))
        self.assertEqual(self.log_of("whole"), self.log_of("run"))

    def test_control_c_leaves_a_checkpoint_that_can_be_resumed(self):
        self.interrupt(signal.SIGINT)

    def test_so_does_a_polite_kill(self):
        self.interrupt(signal.SIGTERM)

    def test_the_end_of_the_time_leaves_a_result(self):
        self.write_rows("rows.tsv", 200)
        result = self.run_json("train", "--data", "rows.tsv", *CLASSIFY, "--steps", 1000000, "--minutes", 0.01,
                               "--out", "run")
        self.assertEqual(result["reason"], "out of time")
        self.assertGreater(result["step"], 0)
        self.assertIn("accuracy", result["validation"])
        self.assertTrue((self.folder / "run/best.safetensors").exists())
        self.assertTrue((self.folder / "run/report.html").exists())


if __name__ == "__main__":
    main()
