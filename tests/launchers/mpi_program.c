/* What each rank of an MPI program knows of itself, one line a rank, written by rank 0:
 *     RANK SIZE NODE SUM INPUT
 * SUM is MPI_Allreduce's sum of all ranks' (RANK + 1); INPUT what the rank read from its standard input.
 * The name of the node is Slurm's: the nodes of the test cluster are one machine. Exits with the code given. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
    char line[256], input[64] = "";
    int rank, size, mine, sum = 0;
    const char *node = getenv("SLURMD_NODENAME");

    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    if (scanf("%63s", input) != 1)
        strcpy(input, "-");
    mine = rank + 1;
    MPI_Allreduce(&mine, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    snprintf(line, sizeof line, "%d %d %s %d %s\n", rank, size, node ? node : "?", sum, input);
    if (rank > 0) {
        MPI_Send(line, sizeof line, MPI_CHAR, 0, 0, MPI_COMM_WORLD);
    } else {
        fputs(line, stdout);
        for (int other = 1; other < size; other++) {
            MPI_Recv(line, sizeof line, MPI_CHAR, other, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
            fputs(line, stdout);
        }
    }
    MPI_Finalize();
    return argc > 1 ? atoi(argv[1]) : 0;
}
