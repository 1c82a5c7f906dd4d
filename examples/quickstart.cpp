#include <iostream>
#include <lintel/lintel.hpp>
using namespace lintel;

int main() {
  Rng rng(1);
  const Tensor x = uniform({256, 1}, -1, 1, rng), y = exp(x) * x;  // what the network shall learn
  nn::FeedForward network(1, 32, rng);
  nn::AdamW optimiser(network);
  for (int step = 0; step <= 200; ++step) {
    Tape tape(network);
    const Tensor loss = mse(network(x), y);
    if (step % 100 == 0) std::cout << "step " << step << ": loss " << loss << '\n';
    if (step == 200) std::cout << tape;
    optimiser.step(tape.gradients(loss), 0.01);
  }
}
