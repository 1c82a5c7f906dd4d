// Looking at a tape: as text to read, as a graph for Graphviz.
#pragma once

#include <ostream>
#include <string>

#include <lintel/autograd/tape.hpp>

namespace lintel {

/// The tape as a program, one line per record in the order of the forward pass: result, op, arguments, shape, what is
/// kept for the backward pass, layer. Watched tensors appear under their names, others as %1, %2, … in order of
/// appearance.
std::string to_text(const Tape& tape);

/// The tape as a directed graph in Graphviz's language (`dot -Tsvg`): boxes are ops, ovals are watched tensors.
std::string to_dot(const Tape& tape);

/// Prints `to_text(tape)`.
std::ostream& operator<<(std::ostream& out, const Tape& tape);

}  // namespace lintel
